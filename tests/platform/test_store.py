"""Files of tensors: what has several names or shares memory is stored once and comes back under every name."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from texprior.errors import ConfigError, TexpriorError
from texprior.runtime.identity import start_digest
from texprior.store import about_tensors, load_tensors, named_folder, save_tensors, shipped_root, write_atomically


def test_a_tied_weight_is_written_once_and_read_back_under_both_names(tmp_path):
    one, two = nn.Linear(200, 200, bias=False), nn.Linear(200, 200, bias=False)
    separate, tied = tmp_path / "separate.safetensors", tmp_path / "tied.safetensors"
    save_tensors(separate, nn.Sequential(one, two).state_dict())
    two.weight = one.weight
    save_tensors(tied, nn.Sequential(one, two).state_dict(), {"scale": 2})
    assert tied.stat().st_size < 0.6 * separate.stat().st_size
    tensors, about = load_tensors(tied)
    assert about == {"scale": 2}
    assert tensors.keys() == {"0.weight", "1.weight"}
    assert all(torch.equal(tensor, one.weight) for tensor in tensors.values())


def test_equal_weights_have_equal_files(tmp_path):
    """Also with a weight of two names: the sha256 of a file says which weights something started from."""
    weight = torch.arange(4.0)
    for number in range(8):
        save_tensors(tmp_path / f"{number}.safetensors", {"a": weight, "b": weight}, {"scale": 2, "seed": 0})
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert about_tensors(tmp_path / "0.safetensors") == {"scale": 2, "seed": 0}


def test_names_that_an_earlier_version_wrote_beside_the_record_are_read(tmp_path):
    from safetensors.torch import save_file

    header = {"texprior": '{"scale": 2}', "aliases": '{"b": "a"}'}
    save_file({"a": torch.ones(2)}, tmp_path / "t.safetensors", header)
    tensors, about = load_tensors(tmp_path / "t.safetensors")
    assert (set(tensors), about) == ({"a", "b"}, {"scale": 2})


def test_tensors_that_share_memory_in_part_are_stored_apart(tmp_path):
    whole = torch.arange(12.0).view(3, 4)
    parts = {"whole": whole, "row": whole[1], "turned": whole.T, "again": whole[1], "empty": whole[:0]}
    save_tensors(tmp_path / "t.safetensors", parts)
    tensors, _ = load_tensors(tmp_path / "t.safetensors")
    assert tensors.keys() == parts.keys()
    assert all(torch.equal(tensors[name], part) for name, part in parts.items())


def test_an_alias_of_nothing_is_a_sentence(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "t.safetensors", {"aliases": '{"b": "c"}'})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_tensors(tmp_path / "t.safetensors")


def test_a_file_may_have_the_longest_name_that_the_file_system_allows(tmp_path):
    path = tmp_path / ("é" * 125 + ".json")
    write_atomically(path, b"{}")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    with pytest.raises(TexpriorError, match="cannot be written"):
        write_atomically(tmp_path / ("a" * 256), b"{}")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TexpriorError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "below", b"")


def test_a_folder_is_named_by_its_path_or_by_the_task_of_a_shipped_model():
    assert named_folder("runs/mine") == Path("runs/mine")
    assert named_folder("shipped:defocus") == shipped_root() / "defocus"
    # neither the prior beside them, nor a way out of their folder
    for task in ("rain", "prior-1eb8fb5960", "../shipped/defocus", ""):
        with pytest.raises(ConfigError, match=re.escape(f"'{task}'; the tasks are: defocus, noise")):
            named_folder(f"shipped:{task}")


def test_weights_to_start_from_are_those_of_the_folder_that_is_named():
    assert start_digest("shipped:defocus") == start_digest(str(shipped_root() / "defocus"))
