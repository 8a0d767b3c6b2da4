"""The noise level of a picture, and what is seen of a data set."""

import pytest
import torch

from texprior.errors import ImageError
from texprior.flow.image import Sample
from texprior.scaffold.looked_at import look_at, noise_level


class Pictures:
    """Pairs of one grey value and that value plus .1; one of them cannot be read."""

    def load(self, key):
        if key == "broken":
            raise ImageError("broken: no picture")
        clean = torch.full((3, 20, int(key)), 0.5)
        return Sample(key, clean, clean + 0.1)


@pytest.mark.parametrize("sigma", [2.0, 10.0, 25.0])
def test_the_level_of_white_noise_is_found_on_a_smooth_picture(sigma):
    ramp = torch.linspace(0, 1, 401)[None, None].expand(3, 301, 401)
    noise = torch.randn(ramp.shape, generator=torch.Generator().manual_seed(0))
    assert 255 * noise_level(ramp + sigma / 255 * noise) == pytest.approx(sigma, rel=0.02)


def test_a_picture_without_noise_has_none():
    assert noise_level(torch.full((3, 8, 8), 0.3)) == 0


def test_sizes_psnr_and_broken_pictures_are_told():
    found = look_at(Pictures(), ["30", "broken", "10", "20"])
    assert (found.pictures, found.decoded, found.sizes) == (4, 3, ((10, 20), (30, 20)))
    assert found.psnr == pytest.approx((20, 20, 20))  # -10 lg .1²
    assert found.broken == {"broken": "broken: no picture"}
    assert str(found) == "4 pictures, 3 of them looked at; 10 x 20 to 30 x 20 px; noise level at most about 0.0 of 255"


def test_without_a_picture_that_can_be_read_there_is_an_error():
    with pytest.raises(ImageError, match="none of 1 pictures can be read: broken: no picture"):
        look_at(Pictures(), ["broken"])
