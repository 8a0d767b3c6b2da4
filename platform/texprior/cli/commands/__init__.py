"""Defines the commands, one file for each.

``train`` holds ``prior`` and ``adapt``; ``plugins_check`` holds ``plugins check``; every other file has the name of its
command.
"""
