"""Implements diffusion in one variable, sigma (Karras et al. 2022, arXiv 2206.00364). Imports torch only.

x_sigma = x_0 + sigma * n, with a layer x_0 of unit standard deviation and n ~ N(0, I).

- ``process``: what is diffused, and how a picture is made of a layer
- ``precondition``: turns a network F into the denoiser D, and its training loss
- ``sigmas``: noise levels for sampling and for training
- ``ema``: the moving average of weights
- ``keys``: random numbers as functions of keys
"""
