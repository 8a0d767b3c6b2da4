"""What the pages say to type is typed: files are written, commands and programs run, in an empty folder.

``<!-- file: NAME -->`` above a block writes it, ``<!-- run -->`` runs it (``sh`` by bash, ``python`` by Python), and
``<!-- plugin: KIND -->`` is a plugin in one file. Budgets are made tiny, and photographs small.
"""

import os
import re
import subprocess
import sys

import pytest
import yaml

from texprior.plugin import API

BLOCK = re.compile(r"<!-- (file|run|plugin)(?:: (\S+))? -->\n```(\w+)\n(.*?)```", re.DOTALL)
SMALL = {"data": {name: {"bundled": {"max_side": 64}} for name in ("train", "val", "test")}, "threads": 1}


def blocks(repository, page):
    found = BLOCK.findall((repository / "docs" / page).read_text(encoding="utf-8"))
    assert found, page
    return found


def tiny(text):
    """The page's experiment with little to do."""
    data = yaml.safe_load(text)
    for stage in data["training"].values():
        stage |= {"budget": {"images": 16}, "batch": 8, "patch": 32, "warmup_images": 0}
    data["data"] = {**data.get("data", {}), **SMALL["data"]}
    return yaml.safe_dump(data | {"threads": 1, "events": []})


@pytest.fixture
def desk(tmp_path):
    """An empty folder, and the commands on the path."""
    (tmp_path / "bin").mkdir()
    for name, module in {"texprior": "-m texprior", "pytest": "-m pytest", "python": ""}.items():
        command = tmp_path / "bin" / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        command.chmod(0o755)
    (tmp_path / "desk").mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("TEXPRIOR_RUNS", "MLFLOW_TRACKING_URI")}
    environment["PATH"] = f"{command.parent}{os.pathsep}{environment['PATH']}"
    environment["OMP_NUM_THREADS"] = "1"

    def follow(page_blocks):
        for what, name, language, text in page_blocks:
            if what == "file":
                (tmp_path / "desk" / name).write_text(tiny(text) if language == "yaml" else text)
                continue
            program = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
            text = re.sub(r"--trials \d+", "--trials 2", text)
            done = subprocess.run(
                [*program, text], cwd=tmp_path / "desk", env=environment, capture_output=True, text=True, timeout=600
            )
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
            yield text, done.stdout

    return follow


SBATCH = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    --wait|--quiet|--job-name=*|--cpus-per-task=*|--gpus=*) shift;;
    --wrap) exec sh -c "$2";;
    *) echo "refused: $1" >&2; exit 9;;
  esac
done
exit 9
"""


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """A stand-in for Slurm's sbatch, which refuses options that it does not know and runs the job here, as it is."""
    program = tmp_path / "slurm" / "sbatch"
    program.parent.mkdir()
    program.write_text(SBATCH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def has_kit(repository):
    return (repository / "platform" / "texprior" / "testing").is_dir()


@pytest.mark.parametrize("page", ["write-a-plugin.md", "plugins.md", "python.md", "limits.md", "conformance.md"])
def test_a_page_works_as_it_stands(repository, desk, page):
    wanted = blocks(repository, page)
    if not has_kit(repository):
        wanted = [block for block in wanted if "plugins check" not in block[3]]
    said = list(desk(wanted))
    assert len(said) == sum(what == "run" for what, *_ in wanted)
    if page == "write-a-plugin.md":
        shown = next(out for text, out in said if "plugins show" in text)
        assert "8 to 64, log" in shown
        assert "adapter:\n  gate:\n    width: 32" in shown
        swept = next(out for text, out in said if "sweep" in text)
        assert "gate width=" in swept
        assert "model: " in swept


@pytest.mark.parametrize("kind", [
    "adapter", "attention", "dataset", "decomposition", "degradation", "denoiser", "encoder", "events", "metric",
    "predictor", "process", "sampler",
    "augmentation", "noise_levels", "schedule",
    "objective", "optimizer", "lr_decay",
    "launcher", "command",
])  # fmt: skip
def test_the_plugins_of_a_kinds_page_pass_the_kit(repository, tmp_path, monkeypatch, sbatch, kind):
    monkeypatch.chdir(tmp_path)
    for _, named, _, text in blocks(repository, f"kinds/{kind}.md"):
        assert named == kind
        passes_the_kit(kind, text, tmp_path)


def passes_the_kit(kind, text, tmp_path):
    from texprior.registry import Registry

    (module,) = set(re.findall(r'"(\w+):\w+"', text))
    file = tmp_path / f"{module}.py"
    file.write_text(text, encoding="utf-8")
    registry = Registry.discover([file])
    try:
        (entry,) = [e for e in registry.entries() if e.plugin.version.startswith("sha256-")]
        assert entry.component.kind == kind
        assert (entry.component.api, entry.plugin.warning) == (API, "")
        testing = pytest.importorskip("texprior.testing")
        report = testing.check_component(testing.Subject(registry, entry))
        assert [f"{outcome.check.id}: {outcome.message}" for outcome in report.failed] == []
        assert report.run >= testing.FLOOR[kind]
    finally:
        sys.modules.pop(module, None)
