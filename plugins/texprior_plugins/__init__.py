"""Contains the first-party plugins of texprior, one folder for each kind.

Each declares its components as a third-party plugin would.
"""
