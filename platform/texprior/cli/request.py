"""Provides what commands share: options, the registry, the experiment, the session."""

from __future__ import annotations

import functools
import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.completion import settings
from texprior.cli.output import keep_stdout_for_json, say

if TYPE_CHECKING:
    from texprior.config import Experiment
    from texprior.plugin import Ref
    from texprior.registry import Registry
    from texprior.runtime.session import Session
    from texprior.runtime.workers import Workers

Command = Callable[..., Any]

plugin_option = click.option(
    "--plugin", "plugins", multiple=True, metavar="FILE", help="A plugin in a single Python file; repeatable."
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    callback=keep_stdout_for_json,
    help="Print one JSON document to stdout and nothing else.",
)
device_option = click.option("--device", metavar="NAME", help="Device to compute on: auto, cpu, mps, cuda or cuda:N.")
fresh_option = click.option(
    "--fresh", is_flag=True, help="Start over instead of continuing from checkpoints and finished folders."
)
gpus_option = click.option(
    "--gpus-per-worker",
    type=click.FloatRange(min=0),
    metavar="N",
    help="GPUs of each worker; below 1, workers share one; 0 hides all. If not given: one in turn, and none of Ray's.",
)
launcher_option = click.option(
    "--launcher",
    default="local",
    metavar="YAML",
    show_default=True,
    help="Who starts the workers: local (processes on this machine), ray, or a plugin's launcher, by its name or with "
    "its options, such as '{ray: {address: auto}}'.",
)
prior_option = click.option(
    "--prior",
    metavar="PRIOR",
    help="The folder of a trained prior, or of a model whose prior is used, or shipped:TASK; the experiment's 'prior' "
    "if not given.",
)
uncertainty_option = click.option(
    "--uncertainty",
    type=click.Choice(("pm", "interval", "none")),
    default="pm",
    show_default=True,
    help="Of Markdown and LaTeX: ± standard error, the 95 % interval in brackets, or none. CSV has both.",
)
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    shell_complete=settings,
    help="Override a value, such as adapter.cga.width=32; repeatable.",
)


def discover_plugins(plugins: Sequence[str]) -> Registry:
    """Returns the registry of the installed plugins and of the given single files."""
    from texprior.registry import Registry

    return Registry.discover(plugins)


@dataclass(frozen=True)
class Request:
    """The arguments that all commands on an experiment share."""

    path: str
    overrides: tuple[str, ...]
    plugins: tuple[str, ...]
    device: str | None
    as_json: bool
    labels: Mapping[str, str] = field(default_factory=dict)
    """The user's own tags of the runs, see ``labels``."""
    note: str = ""

    @functools.cached_property
    def registry(self) -> Registry:
        return discover_plugins(self.plugins)

    def experiment(self, *more: str) -> Experiment:
        """Loads the resolved experiment. ``more`` holds the overrides that come from options of the command."""
        from texprior import config

        return config.load(self.path, self.registry, self._every_override(more))

    def session(self, *more: str, **how: Any) -> Session:
        """Starts a session on the experiment, whose progress is shown until the command ends."""
        from texprior import config

        experiment = self.experiment(*more)
        for sentence in self.registry.warnings_of(experiment):
            say(f"warning: {sentence}")
        said = config.load_said(self.path, self.registry, self._every_override(more))
        session = session_of(experiment, self.registry, said=said, labels=self.labels, note=self.note, **how)
        if (self.labels or self.note) and session.team.leads and not session.tracker.unsent:
            say("warning: --tag and --note are stored nowhere, because the experiment's events have no tracker")
        return session

    def command(self, name: str) -> str:
        """Returns the line to type for another command on the same experiment.

        It repeats the options that were given.
        """
        options = [*(("--set", text) for text in self.overrides), *(("--plugin", file) for file in self.plugins)]
        options += [("--device", self.device)] if self.device else []
        return shlex.join(["texprior", name, self.path, *(part for option in options for part in option)])

    def _every_override(self, more: Sequence[str]) -> list[str]:
        device = [f"device={self.device}"] if self.device else []
        return [*self.overrides, *device, *more]


def takes_experiment(function: Command) -> Command:
    """Decorates a command with the argument EXPERIMENT and the common options.

    The command gets them as a ``Request``.
    """

    @click.argument("experiment")
    @set_option
    @plugin_option
    @device_option
    @json_option
    @functools.wraps(function)
    def command(
        experiment: str,
        overrides: tuple[str, ...],
        plugins: tuple[str, ...],
        device: str | None,
        as_json: bool,
        **options: Any,
    ) -> Any:
        return function(Request(experiment, overrides, plugins, device, as_json), **options)

    return command


def session_of(experiment: Experiment, registry: Registry, **how: Any) -> Session:
    """Starts a session whose progress and messages go to stderr until the command ends."""
    from texprior.runtime.progress import Reporter
    from texprior.runtime.session import Session
    from texprior.runtime.team import leave_team

    # click's context closes both when the command ends, also after an exception.
    context = click.get_current_context()
    reporter = context.with_resource(Reporter())
    context.call_on_close(leave_team)
    return Session.start(experiment, registry, progress=reporter, say=reporter.say, **how)


def parse_component(
    registry: Registry, kind: str, text: str, option: str, example: str = "'{guided: {eps: 0.02}}'"
) -> Ref:
    """Parses a component from the command line: NAME, or YAML such as '{guided: {eps: 0.02}}'.

    ``option`` is the command line's option, for error messages. Raises ConfigError if the text is neither, or if the
    component is unknown or has wrong options.
    """
    from texprior.config.resolver import resolve_ref
    from texprior.config.validation import Complaint, raise_complaints
    from texprior.config.yaml_reader import parse_yaml, shorten_text
    from texprior.errors import ConfigError
    from texprior.plugin import Ref

    try:
        ref = Ref.model_validate(parse_yaml(text))
    # pydantic's ValidationError is a ValueError.
    except ValueError:
        raise ConfigError(
            f"{option} {shorten_text(text)}: expected a {kind}'s name, or YAML with its options like {example}"
        ) from None
    complaints: list[Complaint] = []
    resolved = resolve_ref(ref, kind, kind, registry, complaints)
    raise_complaints(complaints, f"{option} {text}", {})
    return resolved


def parse_workers(
    registry: Registry, number: int, launcher: str, gpus: float | None, address: str | None = None
) -> Workers:
    """Returns who works, from the options of a command; ``address`` is put into the options of the launcher.

    Raises ConfigError if there is no such launcher, or if it has no such options.
    """
    from texprior.errors import ConfigError
    from texprior.plugin import Ref
    from texprior.runtime.workers import Workers

    ref = parse_component(registry, "launcher", launcher, "--launcher", "'{ray: {address: auto}}'")
    if address is not None:
        if "address" not in registry.find("launcher", ref.name).component.options.model_fields:
            raise ConfigError(f"--ray-address {address}: launcher '{ref.name}' has no option 'address'")
        ref = Ref(name=ref.name, options={**ref.options, "address": address})
    return Workers(number, ref, gpus)


def prior_setting(prior: str | None) -> list[str]:
    """Returns the override that ``prior_option`` stands for."""
    return [] if prior is None else [f"prior={json.dumps(prior)}"]


def can_be_written(path: Path) -> bool:
    """Whether files can be written to a folder, which need not exist yet."""
    # A missing folder can be made if the nearest existing folder above it is writable.
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    return existing.is_dir() and os.access(existing, os.W_OK)


def require_runs() -> None:
    """Raises ConfigError if the folder of the runs cannot be written.

    Call it before a training, because the error would otherwise come after it.
    """
    from texprior.errors import ConfigError
    from texprior.store import runs_root

    if not can_be_written(runs_root()):
        raise ConfigError(f"{runs_root()} cannot be written; name another folder in TEXPRIOR_RUNS")


def output_folder(path: str, option: str = "-o") -> Path:
    """Returns the folder for results and creates it if it is missing.

    Raises ConfigError if that fails.
    """
    from texprior.errors import ConfigError

    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{option} {path}: this cannot be a folder for results ({error.strerror})") from None
    return folder
