"""Components of the default names without implementations, and files of experiments."""

import types
from typing import Annotated, Literal

import pytest
from pydantic import Field

from texprior.config import load
from texprior.errors import ConfigError
from texprior.plugin import HOOK_OF_KIND, Options, Tune, hookimpl
from texprior.registry import Registry


class Wide(Options):
    width: Annotated[int, Field(ge=1, le=64), Tune()] = 32
    rate: Annotated[float, Field(gt=0, le=1), Tune(0.01, 1.0, log=True)] = 0.1
    mode: Annotated[Literal["add", "scale"], Tune()] = "add"


NAMES = {
    "degradation": ["defocus", "rain"],
    "decomposition": ["guided", "l0"],
    "encoder": ["mobilenet_v2"],
    "denoiser": ["unet"],
    "predictor": ["unet", "nafnet"],
    "adapter": ["cga", "sft"],
    "process": ["texture"],
    "sampler": ["ddim", "heun"],
    "metric": ["psnr", "ssim", "lpips_alex", "niqe", "texture_ratio"],
    "dataset": ["bundled", "folder"],
    "attention": ["sdpa"],
    "noise_levels": ["log-normal"],
    "optimizer": ["adamw"],
    "lr_decay": ["constant", "cosine"],
    "schedule": ["karras", "ddpm-linear", "cosine"],
    "augmentation": ["dihedral", "mirror"],
    "events": ["mlflow"],
}

DECLARED = {
    ("lr_decay", "constant"): {"open_ended": True},
    ("schedule", "ddpm-linear"): {"largest": 157.4},
    ("schedule", "cosine"): {"largest": 20291.0},
}
"""(kind, name) -> what the component's record declares."""


@pytest.fixture(scope="module")
def registry():
    """Components of the default names, without their implementations; adapters have options."""
    module = types.ModuleType("stand_in")
    for kind, names in NAMES.items():
        hook, record = HOOK_OF_KIND[kind]
        options = Wide if kind == "adapter" else Options
        records = [record(name, "nowhere:Impl", options, **DECLARED.get((kind, name), {})) for name in names]
        setattr(module, hook, hookimpl(lambda records=records: records, specname=hook))
    found = Registry()
    found.register(module)
    return found


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="e.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return to_file


@pytest.fixture
def complaint(write, registry):
    """The message about a file's text, with the folder left out."""

    def message(text, *overrides):
        path = write(text)
        with pytest.raises(ConfigError) as caught:
            load(path, registry, overrides)
        assert caught.value.exit_code == 2
        assert "Traceback" not in str(caught.value)
        return str(caught.value).replace(str(path.parent) + "/", "")

    return message
