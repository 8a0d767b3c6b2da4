"""``--launcher`` of sweep and ablate: any launcher, by its name or with options, and what is refused at once."""

import pickle
import sys

import pytest

SOURCE = """
import pickle
import subprocess
import sys
from pathlib import Path
from texprior.plugin import Launcher, Options, hookimpl

class FilesOptions(Options):
    folder: str = "works"

class Files:
    def __init__(self, options):
        self.folder = Path(options.folder)

    def run(self, works, threads, gpus):
        self.folder.mkdir()
        codes = {}
        for name, work in works.items():
            file = self.folder / f"{name}.pkl"
            file.write_bytes(pickle.dumps(work))
            code = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))()"
            done = subprocess.run([sys.executable, "-c", code, file], stderr=subprocess.PIPE, text=True)
            (self.folder / f"{name}.err").write_text(done.stderr)
            codes[name] = done.returncode
        return {name: f"ended with code {code}" for name, code in codes.items() if code}

@hookimpl
def texprior_launchers():
    return [Launcher("files", "work_files:Files", FilesOptions, "Works in files.", api=2)]
"""


@pytest.fixture
def plugin(tmp_path):
    file = tmp_path / "work_files.py"
    file.write_text(SOURCE)
    yield file
    sys.modules.pop("work_files", None)


def test_a_plugin_s_launcher_runs_the_cells_of_an_ablation(texprior, write, study, plugin, runs, tmp_path):
    file = write(
        ablation={"model": str(study.model), "grid": {"sampling.steps": [1, 2]}, "seeds": [0], "metric": "psnr_rgb"}
    )
    folder = tmp_path / "works"
    answer = texprior(
        "ablate", file, "--plugin", plugin, "--launcher", f"{{files: {{folder: {folder}}}}}", "--split", "val", "--json"
    )
    assert answer.code == 0, answer.err
    assert [cell["status"] for cell in answer.json["cells"]] == ["finished"] * len(answer.json["cells"])
    said = (folder / "worker 1.err").read_text()
    assert f"worker 1: cell 1 of {len(answer.json['cells'])}: " in said
    assert "cell 1 of" not in answer.err
    start = pickle.loads((folder / "worker 1.pkl").read_bytes()).args[0]
    # a worker on another machine need not share the cache
    assert (start.threads, start.cache_mb, start.gpu) == (1, None, None)


@pytest.mark.parametrize("command", ["sweep", "ablate"])
@pytest.mark.parametrize(
    ("launcher", "sentence"),
    [
        ("lokal", "there is no launcher 'lokal'; did you mean 'local'?"),
        ("{ray: {adress: auto}}", "launcher.ray.adress: unknown"),
        ("[ray]", "expected a launcher's name, or YAML with its options like '{ray: {address: auto}}'"),
    ],
)
def test_an_unknown_launcher_or_option_is_refused(texprior, write, runs, command, launcher, sentence):
    answer = texprior(command, write(), "--launcher", launcher)
    assert (answer.code, answer.out) == (2, "")
    assert sentence in answer.err
    assert not runs.exists()


def test_an_address_is_for_a_launcher_that_has_one(texprior, write, runs):
    answer = texprior("sweep", write(), "--ray-address", "head:6379")
    assert (answer.code, answer.out) == (2, "")
    assert "--ray-address head:6379: launcher 'local' has no option 'address'" in answer.err


def test_the_address_on_the_command_line_becomes_an_option():
    from texprior.cli.request import parse_workers
    from texprior.registry import Registry

    workers = parse_workers(Registry.discover(), 2, "{ray: {retries: 5}}", 0.5, "head:6379")
    assert workers.launcher.options == {"address": "head:6379", "retries": 5}
    assert (workers.number, workers.gpus) == (2, 0.5)


def test_a_launcher_that_cannot_work_here_is_told_before_anything_is_trained(texprior, write, runs, monkeypatch):
    monkeypatch.setattr("texprior_plugins.launcher.ray.find_spec", lambda _name: None)
    for command in ("sweep", "ablate"):
        answer = texprior(command, write(), "--launcher", "ray")
        assert answer.code == 2
        assert "Ray is not installed; pip install 'texprior[ray]'" in answer.err
        assert not list(runs.glob("tiny/*"))
