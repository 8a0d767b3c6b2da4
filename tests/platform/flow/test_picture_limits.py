"""Pictures larger than the limit: a sentence, and a variable that lifts it."""

import threading

import pytest
from PIL import Image

from texprior.errors import ConfigError, ImageError
from texprior.flow.image import load_image
from texprior.flow.picture_limits import VARIABLE, max_megapixels, opened


@pytest.fixture
def large(tmp_path):
    """A black picture of 1.2 megapixels."""
    Image.new("1", (1500, 800)).save(tmp_path / "large.png")
    return tmp_path / "large.png"


def test_the_default_is_pillows_own():
    assert max_megapixels() * 1e6 == pytest.approx(2 * Image.MAX_IMAGE_PIXELS, rel=0.01)


def test_a_larger_picture_is_refused_and_the_way_out_is_said(large, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    with pytest.raises(ImageError) as caught:
        load_image(large)
    assert str(caught.value).startswith(f"{large}: 1500x800 px are 1.2 megapixels, and the limit is 1,")
    assert f"set {VARIABLE}=2 to read it" in str(caught.value)
    monkeypatch.setenv(VARIABLE, "2")
    assert load_image(large).shape == (3, 800, 1500)


@pytest.mark.filterwarnings("error")
def test_above_pillows_limit_a_picture_is_read_without_a_warning(large, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert load_image(large).shape == (3, 800, 1500)
    assert Image.MAX_IMAGE_PIXELS == 1000  # a script keeps its own protection


def test_pillows_limit_returns_after_threads(large, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    first, second = opened(large), opened(large)
    first.__enter__()
    thread = threading.Thread(target=second.__enter__)
    thread.start()
    thread.join()
    first.__exit__(None, None, None)
    assert Image.MAX_IMAGE_PIXELS is None  # the other one is still reading
    second.__exit__(None, None, None)
    assert Image.MAX_IMAGE_PIXELS == 1000


@pytest.mark.parametrize("text", ["0", "-1", "many", "nan"])
def test_a_limit_that_is_none(large, monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigError, match="expected a number of megapixels above 0"):
        load_image(large)
