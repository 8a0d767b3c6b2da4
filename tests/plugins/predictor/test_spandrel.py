"""A pretrained restorer from a file: what spandrel makes of it, taken as it is or trained further; and its errors."""

import importlib.util

import pytest
import torch
from safetensors.torch import save_file

from texprior.errors import ConfigError, TexpriorError
from texprior.plugin import Ref
from texprior.registry import Registry

HAS_SPANDREL = importlib.util.find_spec("spandrel") is not None
needs_spandrel = pytest.mark.skipif(not HAS_SPANDREL, reason="spandrel is not installed")


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def build(registry):
    return lambda **options: registry.build("predictor", Ref(name="spandrel", options=options))


def nafnet():
    from spandrel.architectures.NAFNet.__arch.NAFNet_arch import NAFNet

    torch.manual_seed(0)
    network = NAFNet(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return network


@pytest.fixture
def stored(tmp_path):
    """A small NAFNet with random parameters, in a file as its authors write theirs."""
    network = nafnet()
    path = tmp_path / "restorer.pth"
    torch.save({"params": network.state_dict()}, path)
    return network, str(path)


@pytest.mark.skipif(HAS_SPANDREL, reason="spandrel is installed")
def test_where_spandrel_is_missing_the_error_says_how_to_get_it(build):
    with pytest.raises(ConfigError, match=r"spandrel is not installed; pip install 'texprior\[spandrel\]'") as caught:
        build(weights="x.pth")
    assert caught.value.exit_code == 2


@needs_spandrel
@pytest.mark.parametrize("finetune", [False, True])
@pytest.mark.parametrize("size", [(32, 48), (31, 45)])
def test_the_estimate_is_the_restorers_own(build, stored, finetune, size):
    """NAFNet pads by itself; taken as it is, spandrel clips to [0, 1]."""
    network, path = stored
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = network(image).detach()
    built = build(weights=path, finetune=finetune)
    out = built(image)
    torch.testing.assert_close(out, expected if finetune else expected.clamp(0, 1), rtol=1e-5, atol=1e-5)
    assert out.requires_grad is finetune
    assert not out.is_inference()
    assert built.needs_training is finetune


@needs_spandrel
def test_fine_tuning_reaches_every_parameter(build, stored):
    built = build(weights=stored[1], finetune=True, loss="charbonnier", frequency_weight=0.1)
    image = torch.rand(1, 3, 24, 24)
    built.loss(built(image), image).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in built.parameters())
    assert not any(module.training for module in built.train().modules())


@needs_spandrel
def test_what_it_needs_of_a_pictures_size_is_its_stride_and_its_padding(build, tmp_path):
    from spandrel.architectures.SwinIR.__arch.SwinIR import SwinIR

    torch.manual_seed(0)
    network = SwinIR(
        img_size=32, window_size=8, img_range=1.0, depths=[1], embed_dim=12, num_heads=[2], mlp_ratio=2, upsampler=""
    ).eval()
    torch.save(network.state_dict(), tmp_path / "swin.pth")
    frozen, tuned = (build(weights=str(tmp_path / "swin.pth"), finetune=f) for f in (False, True))
    assert frozen.stride == tuned.stride == frozen.needs.multiple_of
    image = torch.rand(1, 3, 30, 45, generator=torch.Generator().manual_seed(0))
    for built in (frozen, tuned):
        assert built(image).shape == image.shape
    whole = torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(tuned(whole), network(whole), rtol=1e-5, atol=1e-5)


@needs_spandrel
def test_its_parameters_are_kept_in_its_state(build, stored, tmp_path):
    """A model folder's copy is what counts, whatever the file holds later."""
    network, path = stored
    built = build(weights=path)
    state = {name: tensor.clone() for name, tensor in built.state_dict().items()}
    torch.save({"params": {n: torch.zeros_like(t) for n, t in network.state_dict().items()}}, path)
    later = build(weights=path)
    later.load_state_dict(state)
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(later(image), built(image))


@needs_spandrel
def test_what_is_no_restorer_of_colour_pictures_is_an_error(build, stored, tmp_path):
    with pytest.raises(ConfigError, match=r"there is no file nowhere\.pth; looked for "):
        build(weights="nowhere.pth")
    save_file({"w": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="spandrel does not recognise the architecture of "):
        build(weights=str(tmp_path / "other.safetensors"))
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

    upscaler = SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=2, act_type="prelu")
    torch.save(upscaler.state_dict(), tmp_path / "upscaler.pth")
    with pytest.raises(
        ConfigError, match=r"maps 3 to 3 channels at scale 2; a predictor maps 3 to 3 channels at scale 1"
    ):
        build(weights=str(tmp_path / "upscaler.pth"))


@needs_spandrel
def test_a_file_that_would_run_code_is_refused(build, tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "made"), "w"))

    torch.save({"params": {"w": Harm()}}, tmp_path / "bad.pth")
    with pytest.raises(TexpriorError, match="these parameters cannot be read"):
        build(weights=str(tmp_path / "bad.pth"))
    assert not (tmp_path / "made").exists()
