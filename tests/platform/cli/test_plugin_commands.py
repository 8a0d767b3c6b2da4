"""Commands of plugins: listed without their implementation, run by name, and no harm to texprior's own."""

import json
import os
import subprocess
import sys

import pytest

from texprior.errors import PluginError
from texprior.plugin import Ref
from texprior.registry import Registry

ENTRY = """
from texprior.plugin import Command, hookimpl

@hookimpl
def texprior_commands():
    return [Command(name, f"{module}.impl:{{name}}", summary=f"The {{name}} of {module}.", api=2) for name in {names}]
"""
IMPL = """
import sys
import click
from {module}.helpers import divide

@click.command()
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True)
def plot(number, as_json):
    "Draw."
    click.echo("[]" if as_json else f"{module} {{number}}")
    return 7

@click.command()
def only():
    "Stand alone."
    divide(1, 0)

@click.command()
@click.argument("code")
def leave(code):
    "Leave."
    sys.exit(int(code) if code.isdigit() else code)

@click.command()
def prior():
    "Never run by its bare name."
    click.echo("mine")

def strange():
    pass
"""
ONE = """
import click
from texprior.plugin import Command, hookimpl
from acme_one.helpers import divide

@click.command()
def alone():
    "Stand in the package itself."
    divide(1, 0)

@hookimpl
def texprior_commands():
    return [Command("alone", "acme_one:alone", summary="Alone.", api=2)]
"""
DAMAGED = "plugin acme-broken is failed: ModuleNotFoundError: No module named 'a_module_that_is_not_there'"


def install(folder, distribution, entry, impl=""):
    module = distribution.replace("-", "_")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[texprior]\nmain = {module}\n")
    (folder / module).mkdir()
    (folder / module / "__init__.py").write_text(entry)
    (folder / module / "impl.py").write_text(impl)
    (folder / module / "helpers.py").write_text("def divide(a, b):\n    return a / b\n")


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    """Two plugins with commands, which share the name ``plot``, and one that cannot be imported."""
    folder = tmp_path_factory.mktemp("commands")
    for distribution, names in (("acme-draw", ["plot", "only", "leave", "prior", "strange"]), ("bell", ["plot"])):
        module = distribution.replace("-", "_")
        install(folder, distribution, ENTRY.format(module=module, names=names), IMPL.format(module=module))
    install(folder, "acme-one", ONE)
    install(folder, "acme-broken", "import a_module_that_is_not_there\n")
    return folder


def started(folder, *arguments, **variables):
    """The command in a process of its own, which says in the last line of stderr what it has imported."""
    code = (
        "import sys, json; from texprior.cli import main; code = main(sys.argv[1:]); "
        "names = ('torch', 'acme_draw', 'acme_draw.impl', 'texprior_plugins', 'texprior.registry'); "
        "print(json.dumps([m for m in names if m in sys.modules]), file=sys.stderr); sys.exit(code)"
    )
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "110", **variables}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert "Traceback" not in done.stderr
    return done


def test_help_lists_them_with_their_summary_and_imports_no_implementation(plugins):
    done = started(plugins, "--help")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == ["acme_draw", "texprior.registry"]
    own, _, theirs = done.stdout.partition("\nCommands of plugins:\n")
    assert "\n  prior " in own
    told = dict(line.split(maxsplit=1) for line in theirs.split("\n\n")[0].splitlines())
    assert told == {
        "acme-draw/plot": "The plot of acme_draw.",
        "only": "The only of acme_draw.",
        "leave": "The leave of acme_draw.",
        "acme-draw/prior": "The prior of acme_draw.",
        "strange": "The strange of acme_draw.",
        "alone": "Alone.",
        "bell/plot": "The plot of bell.",
    }
    assert DAMAGED in " ".join(theirs.split())


def test_without_other_plugins_help_imports_nothing_more(tmp_path):
    done = started(tmp_path, "--help")
    assert done.returncode == 0
    assert "Commands of plugins" not in done.stdout
    assert json.loads(done.stderr.splitlines()[-1]) == []


def test_a_command_of_texprior_s_own_looks_for_no_plugin(plugins):
    done = started(plugins, "prior", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: texprior prior")
    assert "acme_draw" not in json.loads(done.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    ("arguments", "code", "out", "err"),
    [
        (["acme-draw/plot", "3"], 0, "acme_draw 3\n", ""),
        (["bell/plot", "3", "--json"], 0, "[]\n", ""),
        (["acme-draw/prior"], 0, "mine\n", ""),
        (["plot", "3"], 2, "", "several plugins have a command 'plot'; type one of: acme-draw/plot, bell/plot"),
        (["bell/plot", "x"], 2, "", "Usage: texprior bell/plot [OPTIONS] NUMBER"),
        (["leave", "4"], 4, "", ""),
        (["leave", "no more"], 1, "", "no more\n"),
        (["strange"], 2, "", "command 'acme-draw/strange': acme_draw.impl:strange is a function, but must be"),
        (["onli"], 2, "", "No such command 'onli'.\ndid you mean 'only'?\n" + DAMAGED),
        (["alone"], 1, "", "error: command 'acme-one/alone' (version 1.0) raised ZeroDivisionError: division by zero "
                           "(at helpers.py, line 2)"),
        (["only"], 1, "", "error: command 'acme-draw/only' (version 1.0) raised ZeroDivisionError: division by zero "
                          "(at helpers.py, line 2)"),
    ],
)  # fmt: skip
def test_a_command_is_run_by_its_name(plugins, arguments, code, out, err):
    done = started(plugins, *arguments)
    assert (done.returncode, done.stdout) == (code, out), done.stderr
    assert err in done.stderr


def test_a_disabled_plugin_has_no_commands(plugins):
    done = started(plugins, "--help", TEXPRIOR_DISABLE="acme-draw,acme-one,acme-broken")
    assert "acme" not in done.stdout
    assert "\nCommands of plugins:\n  plot  The plot of bell." in done.stdout


def test_a_command_is_shown_and_checked_as_a_component(texprior, plugins, monkeypatch):
    monkeypatch.syspath_prepend(plugins)
    shown = texprior("plugins", "show", "command/only")
    assert shown.code == 0, shown.err
    assert "on the command line:\n\ntexprior only --help\n" in shown.out
    checked = texprior("plugins", "check", "command/acme-draw/prior", "--json")
    (component,) = checked.json["components"]
    assert [c["id"] for c in component["checks"] if c["status"] == "failed"] == ["command.name"]
    assert component["run"] == component["floor"] + 1
    with pytest.raises(PluginError, match="command 'acme-draw/only' is not built; type 'texprior only'"):
        Registry.discover().build("command", Ref(name="only"))


def test_an_error_of_texprior_is_not_put_on_a_command_that_was_run_before(texprior, plugins, monkeypatch):
    monkeypatch.syspath_prepend(plugins)
    assert texprior("bell/plot", "3").out == "bell 3\n"
    monkeypatch.setattr("texprior.cli.commands.doctor._machine", lambda: 1 / 0)
    assert "internal error: ZeroDivisionError" in texprior("doctor").err
