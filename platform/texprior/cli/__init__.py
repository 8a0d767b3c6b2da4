"""Runs the command line.

A command's module is imported when the command is used, and torch when the command starts its work.

- ``commands``: one file for each command
- ``request``: the options, registry, experiment and session that commands share
- ``output``: writes JSON or tables to stdout and everything else to stderr
- ``answers``: what the commands answer with --json; ``json_page``: the page and the schema of them
- ``labels``: the user's own tags and note of the runs of a command
- ``pictures``: finds input pictures and names results; ``recipes``: stores the random values of degraded pictures
- ``restored_files``: writes restored pictures section by section, and holds which ones are finished
- ``score_table``: shows scores as a table; ``component_help``: describes a component's options
- ``dry_run``: shows what a command would train, with memory, speed and time
- ``plugin_commands``: the commands that plugins bring
- ``completion``: completes words in a shell
- ``app``: the page of ``texprior app``
- ``keeper``: runs a server as a program of its own, and ends it with the command that started it
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from texprior._version import __version__
from texprior.addresses import redact
from texprior.cli.completion import VARIABLE, complete
from texprior.cli.output import begin_answers, emit_error
from texprior.errors import TexpriorError, error_text
from texprior.processes import let_threads_sleep
from texprior.streams import ReaderGone, safe_streams

if TYPE_CHECKING:
    from texprior.cli.plugin_commands import PluginCommands

COMMANDS = {
    "demo": "demo:demo",
    "init": "init:init",
    "prior": "train:prior",
    "adapt": "train:adapt",
    "restore": "restore:restore",
    "evaluate": "evaluate:evaluate",
    "score": "score:score",
    "figure": "figure:figure",
    "sweep": "sweep:sweep",
    "ablate": "ablate:ablate",
    "decompose": "decompose:decompose",
    "degrade": "degrade:degrade",
    "alpha-curve": "alpha_curve:alpha_curve",
    "plugins": "plugins:plugins",
    "models": "models:models",
    "weights": "weights:weights",
    "runs": "runs:runs",
    "app": "app:app",
    "ui": "ui:ui",
    "doctor": "doctor:doctor",
}
"""Command -> module and function below ``texprior.cli.commands``, in the order of the help."""


class _BrokenPipe(Exception):
    """A broken pipe that is not the command's output, such as a connection to a server.

    click would end the process for it without a word. The error itself is the cause.
    """


class _Lazy(click.Group):
    """A click group that imports a command's module only when it is used.

    So ``--help`` is fast. Plugins are looked for only by ``--help``, and for a name that is not texprior's own.
    """

    def invoke(self, ctx: click.Context) -> object:
        try:
            result = super().invoke(ctx)
        except BrokenPipeError as error:
            raise _BrokenPipe from error
        except SystemExit as error:
            if ctx.invoked_subcommand in COMMANDS:
                raise
            ctx.exit(_code_of(error))
        # what a plugin's command returns is not an exit code
        return result if ctx.invoked_subcommand in COMMANDS else None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return _plugin_commands().find(cmd_name)
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"texprior.cli.commands.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(error.message + _plugin_commands().hint(args[0]), ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        found = _plugin_commands()
        if rows := found.summaries():
            with formatter.section("Commands of plugins"):
                formatter.write_dl(rows)
        for line in found.not_loaded():
            formatter.write_paragraph()
            formatter.write_text(redact(line))


def _plugin_commands() -> PluginCommands:
    from texprior.cli.plugin_commands import PluginCommands

    return PluginCommands(list(COMMANDS))


def _code_of(error: SystemExit) -> int:
    """Returns the exit code of ``sys.exit``, which takes a number, a text to print, or nothing."""
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    _say(str(error.code))
    return 1


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="texprior")
def cli() -> None:
    """Experiments on diffusion texture priors in image restoration.

    Exit codes: 0 done; 1 the work failed, or a part of it; 2 wrong usage or configuration; 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code. An error is one sentence on stderr."""
    if arguments is None and os.environ.get(VARIABLE):
        return complete(cli)
    let_threads_sleep()
    with safe_streams() as output:
        _log_to_stderr()
        # Python delivers signals to the main thread only, and ``signal`` raises ValueError in any other.
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, _end_as_ctrl_c_does)
        try:
            code = _run(list(sys.argv[1:] if arguments is None else arguments))
            output.flush()
        # As other programs do, a command ends without a word if nobody reads its output any more.
        except ReaderGone:
            return 1
        if output.fault:
            _say(f"error: the output could not be written ({output.fault}); what the command stored is kept")
        return code or int(bool(output.fault))


def _run(arguments: list[str]) -> int:
    begin_answers()
    try:
        Path.cwd()
    except OSError:
        return _end("configuration", "the current folder is not there any more; go to another one", 2, arguments)
    # ``standalone_mode=False`` keeps click from ending the process, so that every error gets its exit code below.
    try:
        # click closes no context whose options it could not parse, and stdout would stay redirected after --json
        with contextlib.redirect_stdout(sys.stdout):
            code = cli.main(arguments, prog_name="texprior", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return _end("usage", error.format_message(), error.exit_code, arguments, said=True)
    except TexpriorError as error:
        if error.__cause__ and os.environ.get("TEXPRIOR_DEBUG"):
            _say(traceback.format_exc())
        return _end(_KINDS.get(error.exit_code, "failure"), str(error), error.exit_code, arguments)
    except (click.Abort, KeyboardInterrupt):
        said = "interrupted; run the same command again to continue from what was saved"
        return _end("interrupted", said, 130, arguments)
    except ReaderGone:
        raise
    except _BrokenPipe as error:
        return _end(*_unexpected(error.__cause__ or error), 1, arguments)
    # A plugin may raise anything, also what is no Exception.
    except BaseException as error:
        return _end(*_unexpected(error), 1, arguments)


_KINDS = {2: "configuration", 130: "interrupted"}
"""Exit code of an error that somebody foresaw -> its kind in the document; all others are failures."""


def _end(kind: str, message: str, code: int, arguments: Sequence[str], said: bool = False) -> int:
    """Says why a command ended, on stderr unless it was ``said``, and with --json on stdout; returns its exit code."""
    if not said:
        _say(message if kind in ("interrupted", "internal") else f"error: {message}")
    if "--json" in arguments and not _is_of_plugin(arguments):
        emit_error(kind, message, code)
    return code


def _is_of_plugin(arguments: Sequence[str]) -> bool:
    """Returns whether the command is a plugin's, which answers as it likes."""
    name = next((argument for argument in arguments if not argument.startswith("-")), "")
    return bool(name) and name not in COMMANDS and _plugin_commands().find(name) is not None


_REFUSED = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EMFILE", "ENFILE", "ENAMETOOLONG", "EIO", "ENOMEM")
    if hasattr(errno, name)
)
"""Numbers of errors that say that a disk is full, a file may not be written, too many are open, and the like."""


def _unexpected(error: BaseException) -> tuple[str, str]:
    """Returns kind and sentence of an error that nobody foresaw.

    It is a bug of a plugin if the traceback leads into one, else of texprior.
    """
    if os.environ.get("TEXPRIOR_DEBUG"):
        _say("".join(traceback.format_exception(error)))
    from texprior.registry.error_source import find_source

    found = find_source(error)
    # what the machine refuses is no fault of any code
    if isinstance(error, OSError) and error.errno in _REFUSED:
        return "failure", f"{error_text(error)}; TEXPRIOR_DEBUG=1 shows the traceback"
    if found:
        return "plugin", f"{found.sentence(error)}; TEXPRIOR_DEBUG=1 shows the traceback"
    return "internal", (
        f"internal error: {error_text(error)}; please report it, with the output of the same command "
        "with TEXPRIOR_DEBUG=1, which shows the traceback"
    )


def _end_as_ctrl_c_does(_number: int, _frame: FrameType | None) -> None:
    """Handles SIGTERM like Ctrl-C, so that a kill also ends runs and servers properly."""
    raise KeyboardInterrupt


class _Stderr(logging.Handler):
    """A log handler that writes warnings as plain lines to stderr.

    The warnings are those of the platform and of plugins.
    """

    def emit(self, record: logging.LogRecord) -> None:
        _say(f"{record.levelname.lower()}: {record.getMessage()}")


def _log_to_stderr() -> None:
    # A process may call ``main`` several times, and a second handler would print every warning twice.
    for name in ("texprior", "texprior_plugins"):
        logger = logging.getLogger(name)
        if not any(isinstance(handler, _Stderr) for handler in logger.handlers):
            logger.addHandler(_Stderr(logging.WARNING))


def _say(message: str) -> None:
    click.echo(redact(message), err=True)
