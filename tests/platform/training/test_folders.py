"""Which checkpoints a training can continue from."""

import torch

from texprior.config.schema import Training
from texprior.store import named_folder, save_tensors
from texprior.training.folders import CHECKPOINT, Place, find_checkpoints, start_file


def test_what_a_training_goes_on_from(tmp_path):
    """Its own checkpoint; else the furthest that fits; another experiment's only of the same pictures."""
    settings = Training(budget={"images": 100}, batch=10)
    pictures = {"own/prior-T-50": "p", "own/prior-T-500": "p", "other/prior-T-100": "p", "stale/prior-T-100": "q"}
    seen = {"own/prior-T-50": 50, "own/prior-T-500": 200, "other/prior-T-100": 100, "stale/prior-T-100": 100}
    for name, images in seen.items():
        about = {"images_seen": images, "elapsed_s": images / 10, "pictures": pictures[name]}
        save_tensors(tmp_path / name / CHECKPOINT, {"x": torch.zeros(1)}, about)
    (tmp_path / "broken" / "prior-T-100").mkdir(parents=True)
    (tmp_path / "broken" / "prior-T-100" / CHECKPOINT).write_bytes(b"no tensors")
    folder = tmp_path / "own" / "prior-T-100"

    def found(more=settings):
        return [
            path.parent.relative_to(tmp_path).as_posix() for path in find_checkpoints(Place("T", folder), more, "p")
        ]

    assert found() == ["other/prior-T-100", "own/prior-T-50"]
    assert found(Training(budget={"images": 100, "seconds": 7}, batch=10)) == ["own/prior-T-50"]
    save_tensors(folder / CHECKPOINT, {"x": torch.zeros(1)}, {"images_seen": 20, "elapsed_s": 2})  # of --fresh
    assert found() == ["own/prior-T-100"]


def test_a_prior_starts_from_that_of_a_model():
    """As with the key ``prior``, a model stands for its prior."""
    file = start_file(named_folder("shipped:noise"), "prior")
    assert file == start_file(file.parent, "prior")
    assert file.name == "prior.safetensors"
