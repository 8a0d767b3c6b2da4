"""A stranger's package that does anything at all while it is loaded: it is named, and everything else goes on."""

import json
import os
import random
import subprocess
import sys
import textwrap
import warnings

import pytest

from texprior.registry import Registry

WORKS = """
from texprior.plugin import Degradation, hookimpl
@hookimpl
def texprior_degradations():
    return [Degradation("rain", "{module}:Rain")]
"""
DOES = {
    "raises": ("raise ValueError('no')", "failed", "ValueError: no"),
    "exits": ("raise SystemExit(3)", "failed", "SystemExit: 3"),
    "exits_at_once": ("import os; os._exit(3)", "failed", "SystemExit: 3"),
    "interrupts": ("class Mine(KeyboardInterrupt): pass\nraise Mine('x')", "failed", "Mine: x"),
    "bases": ("class Mine(BaseException): pass\nraise Mine('x')", "failed", "Mine: x"),
    "recurses": ("def f(): f()\nf()", "failed", "RecursionError: maximum recursion depth exceeded"),
    "mute": (
        "class Mute(Exception):\n  def __str__(self): raise RuntimeError\nraise Mute",
        "failed",
        "Mute: (its text raises RuntimeError)",
    ),
    "closes": ("import sys; sys.stdout.close if 0 else None; sys.stdout = None", "loaded", ""),
    "prints": ("print('noise'); import os; os.write(1, b'noise')", "loaded", ""),
    "prints_errors": ("import sys; print('noise', file=sys.stderr)", "loaded", ""),
    "moves": ("import os; os.chdir('/')", "loaded", "changed the current folder"),
    "seeds": ("import random; random.seed(1)", "loaded", "seeded or drew global random numbers"),
    "filters": ("import warnings; warnings.simplefilter('error')", "loaded", ""),
    "signals": ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", "loaded", ""),
    "no_syntax": ("def", "failed", "SyntaxError"),
    "hook_raises": (
        "from texprior.plugin import hookimpl\n@hookimpl\ndef texprior_metrics(): raise LookupError('x')",
        "failed",
        "LookupError: x",
    ),
    "bad_repr": (
        "from texprior.plugin import hookimpl\nclass R:\n  def __repr__(self): raise OSError('r')\n"
        "@hookimpl\ndef texprior_metrics(): return R()",
        "failed",
        "OSError: r",
    ),
    "bad_default": (
        "from pydantic import Field\nfrom texprior.plugin import *\n"
        "class O(Options):\n  x: int = Field(default_factory=lambda: 1 // 0)\n"
        "@hookimpl\ndef texprior_metrics(): return [Metric('m', 'a:B', O)]",
        "failed",
        "ZeroDivisionError",
    ),
    "bad_summary": (
        "from texprior.plugin import *\n@hookimpl\ndef texprior_metrics(): return [Metric('m', 'a:B', summary=3)]",
        "failed",
        "'m': summary must be a text, not 3",
    ),
}
"""Name -> what the module does, the status of its plugin, and what is said of it."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder with a distribution for each of these, one that works, and one whose module is not there."""
    root = tmp_path_factory.mktemp("packages")
    for name, (does, status, _) in {**DOES, "works": ("", "loaded", ""), "absent": ("", "failed", "")}.items():
        info = root / f"a_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: a-{name}\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[texprior]\nmain = a_{name}\n", encoding="utf-8")
        works = WORKS.replace("{module}", f"a_{name}") if status == "loaded" else ""
        if name != "absent":
            (root / f"a_{name}.py").write_text(does + "\n" + textwrap.dedent(works), encoding="utf-8")
    return root


@pytest.fixture
def here(packages, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(packages)
    monkeypatch.chdir(tmp_path)
    yield packages
    for name in [name for name in sys.modules if name.startswith("a_")]:
        del sys.modules[name]


def test_each_is_named_and_what_it_changed_is_put_back(here, tmp_path):
    random.seed(0)
    before, filters = random.getstate(), list(warnings.filters)
    found = {plugin.distribution: plugin for plugin in Registry.discover().plugins}
    for name, (_, status, said) in DOES.items():
        plugin = found[f"a-{name.replace('_', '-')}"]
        assert (name, plugin.status) == (name, status)
        assert said in "; ".join([plugin.reason, *plugin.notes])
    assert found["a-works"].status == found["texprior"].status == "loaded"
    assert found["a-works"].notes == ()
    assert found["a-absent"].reason == "ModuleNotFoundError: No module named 'a_absent'"
    assert os.getcwd() == str(tmp_path)  # noqa: PTH109
    assert (random.getstate(), warnings.filters) == (before, filters)


def texprior(packages, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "texprior", *arguments],
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_list_is_one_json_document_that_names_each(packages):
    done = texprior(packages, "plugins", "list", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["distribution"]: row for row in json.loads(done.stdout)}
    assert {name for name in rows if name.startswith("a-")} == {f"a-{n.replace('_', '-')}" for n in DOES} | {
        "a-works",
        "a-absent",
    }


def test_the_table_warns_of_what_was_undone(packages):
    done = texprior(packages, "plugins", "list", "--kind", "sampler")
    assert "a-exits" in done.stdout
    assert "warning: plugin a-moves changed the current folder while it was loaded; this was undone" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_plugin_that_imports_torch_or_takes_long_is_named(monkeypatch):
    from texprior.registry import containment

    monkeypatch.setattr(containment, "_SLOW_S", -1.0)
    notes = []
    with containment.contained(notes):
        pass
    assert notes == ["took 0 s to load, and every command waits for it"]
    code = "from texprior.registry.containment import contained; n = []\nwith contained(n): import torch\nprint(n)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "imports torch while it is loaded" in done.stdout, done.stderr
