"""What the pages mention is there: commands with their options, settings, and files of the repository."""

import inspect
import re

import click
import pytest

from texprior.cli import COMMANDS, cli
from texprior.cli.settings_page import STAGE, sections, settings_of
from texprior.config.schema import Experiment
from texprior.registry import Registry
from texprior.testing.catalogue import CHECKS

SETTINGS = [s.path for path, model in sections(Experiment) for s in settings_of(path, model)]
SECTIONS = {path.split(".")[0] for path in SETTINGS if "." in path}


def pages(repository):
    """Every page that says what is so now; decisions say what was so when they were taken."""
    found = [*repository.glob("*.md"), *repository.glob("docs/**/*.md")]
    return [p for p in found if p.name != "CHANGELOG.md" and p.parent.name != "adr"]


def code(page):
    """The code of a page: inline, and the lines of blocks, joined where a line ends in a backslash."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"`([^`]+)`", re.sub(r"```\w*\n.*?```", "", text, flags=re.DOTALL))
    return [line for block in blocks for line in block.splitlines()] + [" ".join(span.split()) for span in inline]


def command_of(words):
    """The click command that the words call, and the words after its name."""
    command = cli
    while isinstance(command, click.Group) and words:
        inner = command.get_command(click.Context(command), words[0])
        assert inner is not None, f"there is no command {words[0]}"
        command, words = inner, words[1:]
    return command, words


def test_every_command_and_option_that_a_page_shows_is_there(repository):
    shown = 0
    for page in pages(repository):
        for line in code(page):
            called = re.search(r"(?:^|[=.&|] )texprior ((?:[a-z][a-z-]+ ?)+)([^#&|]*)", line)
            if not called or called[1].split()[0] not in COMMANDS:
                continue
            command, rest = command_of([*called[1].split(), *called[2].split()])
            known = {name for parameter in command.params for name in parameter.opts}
            asked = {word.partition("=")[0] for word in rest if re.fullmatch(r"--[a-z][a-z-]*(=.*)?", word)}
            assert asked <= known | {"--help"}, f"{page.name}: {line}"
            shown += 1
    assert shown > 60


def test_every_setting_that_a_page_names_is_there(repository):
    registry, named = Registry.discover(), 0
    kinds = {"train": "dataset", "val": "dataset", "test": "dataset", "sampler": "sampler"}
    for page in pages(repository):
        for span in code(page):
            path = re.fullmatch(r"([a-z_]+(?:\.[A-Za-z_]+)+)(?:[:=].*)?", span)
            # a check of the kit may be named like a setting, since a section may be named like a kind
            if not path or path[1].split(".")[0] not in SECTIONS or path[1] in CHECKS:
                continue
            asked = re.sub(r"^training\.(prior|predictor|adapter|STAGE)", STAGE, path[1])
            holders = [s for s in SETTINGS if asked == s or s.startswith(f"{asked}.") or asked.startswith(f"{s}.")]
            assert holders or asked == STAGE, f"{page.name}: {span}"
            setting = next((s for s in holders if asked.startswith(f"{s}.")), "")
            if setting.rpartition(".")[2] in kinds:
                name = asked.removeprefix(f"{setting}.").split(".")[0]
                registry.find(kinds[setting.rpartition(".")[2]], name)
            named += 1
    assert named > 40


@pytest.mark.parametrize("kind", ["adapter", "degradation", "decomposition", "denoiser", "encoder", "predictor"])
def test_every_option_of_a_component_that_a_page_names_is_there(repository, kind):
    registry = Registry.discover()
    known = {entry.component.name: entry.component.options.model_fields for entry in registry.entries(kind)}
    for page in pages(repository):
        for span in code(page):
            path = re.fullmatch(rf"{kind}\.([a-z_]+)\.([a-z_]+)(?:[:=].*)?", span)
            if path and path[1] in known:
                assert path[2] in known[path[1]], f"{page.name}: {span}"


def test_every_file_that_a_page_names_is_there(repository):
    """A file of the reader's own, ``mine``, or of a package that ``plugins new`` writes, is not."""
    missing = []
    for page in pages(repository):
        near = [repository, repository / "platform" / "texprior", repository / "docs", page.parent]
        near.append(repository / "platform" / "texprior" / "ablations")
        for span in code(page):
            if re.fullmatch(r"(?:[a-z_]+/)+[a-z_0-9-]+\.(?:py|md|yaml|sbatch)", span) and not re.search(
                r"mine|src/", span
            ):
                missing += [] if any((root / span).exists() for root in near) else [f"{page.name}: {span}"]
    assert missing == []


def test_the_calls_of_the_page_on_python_have_the_arguments_that_it_shows(repository):
    import texprior
    from texprior.api import Workbench

    page = (repository / "docs" / "python.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(texprior|bench)\.(\w+)\((.*)\)` \|", page, re.MULTILINE)
    assert {name for where, name, _ in rows if where == "bench"} == {
        name for name, made in vars(Workbench).items() if callable(made) and not name.startswith("_")
    }
    for where, name, shown in rows:
        real = inspect.signature(getattr(texprior if where == "texprior" else Workbench, name))
        arguments = [p for p in real.parameters.values() if p.name != "self"]
        told = [str(p.replace(annotation=p.empty)).replace("'", '"') for p in arguments]
        assert shown == ", ".join(told), name


def test_the_options_of_the_kit_on_its_page_are_those_of_the_command(repository):
    page = (repository / "docs" / "conformance.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^\| `(--?\w+)[ `]", page, re.MULTILINE))
    command, _ = command_of(["plugins", "check"])
    real = {p.opts[-1] if p.name == "quiet" else p.opts[0] for p in command.params if isinstance(p, click.Option)}
    assert shown == real - {"--plugin", "--help"}
