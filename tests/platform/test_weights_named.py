"""Parameters in a file that a user names: where it is looked for, what may lie around the tensors, and no code runs."""

import pytest
import torch

from texprior import weights
from texprior.errors import ConfigError, TexpriorError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXPRIOR_WEIGHTS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    return tmp_path


def test_a_path_is_taken_as_it_is_and_a_name_is_looked_for_in_the_folders(folder, monkeypatch):
    (folder / "mine" / "a.pth").touch()
    assert weights.named(str(folder / "mine" / "a.pth")) == folder / "mine" / "a.pth"
    assert weights.named("a.pth") == folder / "mine" / "a.pth"
    monkeypatch.setenv("HOME", str(folder))
    assert weights.named("~/mine/a.pth") == folder / "mine" / "a.pth"


@pytest.mark.parametrize("name", ["b.pth", "mine/b.pth", "/nowhere/a.pth"])
def test_a_file_that_is_not_there_is_a_configuration_error(folder, name):
    (folder / "mine" / "a.pth").touch()
    with pytest.raises(ConfigError, match=f"there is no file {name}; looked for "):
        weights.named(name)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: t,
        lambda t: {"state_dict": t, "epoch": 3},
        lambda t: {"params": {"w": torch.zeros(1)}, "params_ema": t},
        lambda t: {"model": {"state_dict": t}, "optimizer": {"state": {}}},
    ],
    ids=["bare", "state_dict", "averaged", "nested"],
)
def test_tensors_are_found_inside_what_frameworks_put_around_them(tmp_path, wrap):
    tensors = {"w": torch.arange(3.0), "b": torch.ones(2)}
    torch.save(wrap(tensors), tmp_path / "a.pth")
    found = weights.read(tmp_path / "a.pth")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "made"), "w"))

    torch.save({"state_dict": {"w": Harm()}}, tmp_path / "bad.pth")
    with pytest.raises(TexpriorError, match="these parameters cannot be read"):
        weights.read(tmp_path / "bad.pth")
    assert not (tmp_path / "made").exists()
