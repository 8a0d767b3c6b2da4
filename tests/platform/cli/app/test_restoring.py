"""What the page computes: each strength is what sampling with it gives, and nothing is sampled twice."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import texprior as api
from texprior import pipeline
from texprior.cli.app import restoring
from texprior.cli.app.drawing import shown, spread_shown
from texprior.cli.app.restoring import Asked, Restorer
from texprior.errors import ImageError
from texprior.flow.degrade import degraded_sample
from texprior.flow.image import Sample, load_image
from texprior.flow.kinds import DEGRADATION
from texprior.runtime.session import Session


@pytest.mark.parametrize("strength", [0.0, 0.35, 1.0, 2.0])
def test_a_strength_is_what_sampling_with_it_gives_to_the_bit(restorer, model, file, strength):
    result = restorer.restored(Asked(file, steps=2, samples=3))
    sampling = model.experiment.sampling.model_copy(update={"samples": 3, "texture_strength": strength})
    direct = pipeline.restore(model, load_image(file)[None], "photo.png", sampling, seed=3)
    assert torch.equal(result.at(strength).picture, direct.picture)
    assert torch.equal(result.at(strength).spread, direct.spread)
    assert (result.found.spread > 0).any()
    composed = (result.found.base + result.texture(strength)).clamp(0, 1)
    torch.testing.assert_close(composed, direct.picture, rtol=0, atol=1e-6)


def test_nothing_is_sampled_twice(restorer, file, sampled):
    asked = Asked(file, steps=2, samples=1)
    for strength in (1.0, 0.2, 0.7):
        restorer.restored(asked).at(strength)
    assert sampled == [(1, 3, 40, 56)]


def test_two_requests_at_once_sample_once(restorer, file, sampled):
    asked = Asked(file, steps=2, samples=1)
    threads = [threading.Thread(target=restorer.restored, args=(asked,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sampled) == 1


def test_what_is_kept_does_not_wait_for_another_picture(restorer, file):
    kept = restorer.restored(Asked(file, steps=1, samples=1))
    begun, go_on, found = threading.Event(), threading.Event(), []

    def tell(_done, _calls):
        begun.set()
        assert go_on.wait(60)

    sampling = threading.Thread(target=restorer.restored, args=(Asked(file, steps=2, samples=1), tell))
    sampling.start()
    assert begun.wait(60)
    asking = threading.Thread(target=lambda: found.append(restorer.restored(Asked(file, steps=1, samples=1))))
    asking.start()
    asking.join(30)
    waits = asking.is_alive()
    go_on.set()
    sampling.join(60)
    assert not waits
    assert found[0] is kept


def test_whatever_decides_the_layers_is_sampled_anew(restorer, file, sampled, tmp_path):
    asked = Asked(file, steps=2, samples=1)
    renamed = tmp_path / "other.png"
    renamed.write_bytes(Path(file).read_bytes())
    others = [{"steps": 1}, {"samples": 2}, {"degrade": True}, {"path": str(renamed)}]
    for other in [asked, *(asked._replace(**change) for change in others)]:
        restorer.restored(other)
    Image.open(file).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(file)
    restorer.restored(asked)
    assert len(sampled) == 6


def test_the_last_results_are_kept_within_a_number_of_pixels(restorer, file, sampled, monkeypatch):
    first, second, third = (Asked(file, steps=steps, samples=1) for steps in (1, 2, 3))
    monkeypatch.setattr(restoring, "KEPT_PIXELS", 2 * 40 * 56)
    for asked in (first, second, first, third, first):  # the third pushes the second out
        restorer.restored(asked)
    assert len(sampled) == 3
    restorer.restored(second)
    assert len(sampled) == 4
    monkeypatch.setattr(restoring, "KEPT_PIXELS", 0)
    for asked in (third, third):
        restorer.restored(asked)
    assert len(sampled) == 5


def test_a_sharp_picture_is_degraded_as_an_evaluation_does_it(restorer, model, file):
    clean = load_image(file)
    degradation = Session.start(model.experiment, model.registry).build(DEGRADATION)
    expected = degraded_sample(Sample("photo.png", clean), degradation, 3, bits=8)
    result = restorer.restored(Asked(file, 1, 1, degrade=True))
    assert torch.equal(result.degraded[0], expected)
    assert torch.equal(result.picture[0], clean)
    assert restorer.can_degrade
    assert result.size == (40, 56)


def test_the_calls_are_told_as_they_are_done(restorer, file):
    told = []
    restorer.restored(Asked(file, steps=3, samples=1), lambda done, calls: told.append((done, calls)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def written(path, content):
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    ("name", "change", "fragment"),
    [
        ("text.png", lambda whole: b"no picture", "text.png: this is not a picture that can be read"),
        ("cut.png", lambda whole: whole[: len(whole) // 2], "cut.png: the picture cannot be read"),
        ("empty.jpg", lambda whole: b"", "empty.jpg: this is not a picture that can be read"),
    ],
)
def test_what_is_no_picture_is_a_sentence(restorer, file, tmp_path, name, change, fragment):
    broken = written(tmp_path / name, change(Path(file).read_bytes()))
    with pytest.raises(ImageError) as said:
        restorer.restored(Asked(broken, 1, 1))
    assert fragment in str(said.value)
    assert "\n" not in str(said.value)


def test_a_picture_above_the_limit_of_the_page_is_not_restored(model, file, sampled):
    small = Restorer(model, seed=3, limit=0.002)
    with pytest.raises(ImageError, match=r"56x40 px are 0.00224 megapixels.*takes 0.002.*--max-megapixels 1$"):
        small.restored(Asked(file, 1, 1))
    assert sampled == []


def test_the_page_shows_what_the_command_writes(texprior, file, tmp_path):
    options = ["--texture-strength", "0.6", "--samples", "2", "--steps", "1"]
    answer = texprior("restore", file, "--task", "defocus", "-o", tmp_path / "out", *options)
    assert answer.code == 0, answer.err
    model = api.load_model(task="defocus")
    now = Restorer(model, model.experiment.seed, limit=1.0).restored(Asked(file, 1, 2)).at(0.6)
    drawn, largest = spread_shown(now.spread)
    assert np.array_equal(shown(now.picture), np.asarray(Image.open(tmp_path / "out" / "photo.png")))
    assert np.array_equal(drawn, np.asarray(Image.open(tmp_path / "out" / "photo-spread.png")))
    assert largest == float(now.spread.max())
