"""One file for each command.

``train`` holds ``prior`` and ``adapt``; ``plugins_check`` holds ``plugins check``; every other file is named for its
command.
"""
