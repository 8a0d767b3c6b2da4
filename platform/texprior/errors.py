"""Errors that a user may see. Each message is a sentence: what was wrong, where, what to do."""


class TexpriorError(Exception):
    """The work failed; the command line prints the message and exits with ``exit_code``."""

    exit_code = 1


class ConfigError(TexpriorError):
    """Wrong usage or configuration: nothing was started."""

    exit_code = 2


class PluginError(ConfigError):
    """A component that was named cannot be used: unknown, ambiguous, or its plugin did not load."""


class ImageError(TexpriorError):
    """A picture cannot be read or written, or its size does not fit."""


class Interrupted(TexpriorError):
    """Ctrl-C after everything worth keeping was saved; the message says how to go on."""

    exit_code = 130
    run_status = "interrupted"
