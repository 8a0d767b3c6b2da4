"""What another program restored, in an ablation: scored as the arms are, and refused if it is not whole."""

import numpy as np
import pytest
from PIL import Image

from texprior import config
from texprior.ablations.foreign import foreign_scores
from texprior.errors import ConfigError
from texprior.registry import Registry
from texprior.runtime.session import Session


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def bench(registry, tmp_path):
    """bench(): a session on eight clean pictures of level 100, and a folder of theirs that is 10 levels off."""
    for name, level in (("val", 100), ("theirs", 110)):
        (tmp_path / name / "a").mkdir(parents=True)
        for n in range(8):
            picture = Image.fromarray(np.full((40, 50, 3), level + n, dtype=np.uint8))
            # the separator of a subfolder may be a hyphen
            picture.save(tmp_path / name / (f"a/{n}.png" if name == "val" else f"a-{n}.bmp"))

    def bench():
        described = {
            "name": "x",
            "events": [],
            "metrics": ["psnr"],
            "data": {"val": {"folder": {"path": str(tmp_path / "val")}}},
            "evaluation": {"split": "val"},
            "ablation": {"foreign": {"theirs": str(tmp_path / "theirs")}},
        }
        return Session.start(config.resolve(described, registry), registry, root=tmp_path / "runs")

    return bench


def test_scores_are_against_the_references_of_the_split_and_kept_until_a_picture_changes(bench, tmp_path):
    found = foreign_scores(bench(), tmp_path / "kept")["theirs"]
    assert found.restored_means()["psnr_rgb"] == pytest.approx(20 * np.log10(255 / 10), abs=1e-4)
    assert found.pictures() == [f"a/{n}.png" for n in range(8)]
    assert foreign_scores(bench(), None).keys() == {"theirs"}  # a dry run keeps none
    (kept,) = (tmp_path / "kept").iterdir()
    before = kept.stat().st_mtime_ns
    assert foreign_scores(bench(), tmp_path / "kept")["theirs"].scores == found.scores
    assert kept.stat().st_mtime_ns == before
    Image.fromarray(np.full((40, 50, 3), 100, dtype=np.uint8)).save(tmp_path / "theirs" / "a-0.bmp")
    assert foreign_scores(bench(), tmp_path / "kept")["theirs"].of("restored", "psnr_rgb")["a/0.png"] == 100


@pytest.mark.parametrize(("change", "said"), [
    (lambda folder: (folder / "a-3.bmp").unlink(), r"foreign\.theirs: .*1 of 8 pictures of val are missing: a/3\.png"),
    (lambda folder: (folder / "a-3.bmp").write_bytes(b"no"), r"foreign\.theirs: .*a-3\.bmp"),
    (lambda folder: Image.new("RGB", (9, 9)).save(folder / "a-3.bmp"), r"must have one size: .* 9 x 9 px"),
    (lambda folder: folder.rename(folder.with_name("gone")), "there is no such folder"),
])  # fmt: skip
def test_a_folder_that_is_not_whole_is_refused(bench, tmp_path, change, said):
    change(tmp_path / "theirs")
    with pytest.raises(ConfigError, match=said):
        foreign_scores(bench(), tmp_path / "kept")
