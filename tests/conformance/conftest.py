"""What first-party components cannot be checked without: folders of pictures, and a store of the test's own."""

import importlib.util
from pathlib import Path

import pytest
import torch

from texprior.testing.material import photographs

SPLITS = {"train": ("a", "b"), "val": ("c",), "test": ("d",)}


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folders ``clean`` and ``degraded`` with four crops each, and ``lists`` of their splits."""
    from texprior.flow.image import save_image

    root = tmp_path_factory.mktemp("pictures")
    crops = [*photographs(3, 40, 56), photographs(1, 40, 56)[0].flip(-1)]
    for name, crop in zip("abcd", crops, strict=True):
        save_image(crop, root / "clean" / f"{name}.png")
        save_image(0.5 * crop, root / "degraded" / f"{name}.png")
    return root


@pytest.fixture(scope="session")
def example(folders, published, parameters, tmp_path_factory):
    """Options of a component, by what its record declares; {} where its defaults will do."""
    lists = {}
    for kind, suffix in (("path", ".png"), ("degraded", "")):
        lists[kind] = folders / f"lists-{kind}"
        lists[kind].mkdir()
        for split, names in SPLITS.items():
            lines = "".join(f"{name}{suffix}\n" for name in names)
            (lists[kind] / f"{split}.txt").write_text(lines, encoding="utf-8")
    clean, degraded = str(folders / "clean"), str(folders / "degraded")
    store = tmp_path_factory.mktemp("store")
    by_option = {
        "degraded": {"degraded": degraded, "clean": clean, "lists": str(lists["degraded"])},
        "path": {"path": clean, "lists": str(lists["path"])},
        # Ray would start what a check kills three times again, which takes half a minute
        "retries": {"retries": 0},
        "tracking_uri": {"tracking_uri": f"sqlite:///{store / 'mlflow.db'}"},
    }

    def options(component):
        if "published" in component.tags:
            return published(component.name)
        if component.requires and "weights" in component.options.model_fields:
            return parameters(component)
        return next((given for name, given in by_option.items() if name in component.options.model_fields), {})

    return options


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """published(name): a small tree of a published data set's form, as the tests of data sets plant it."""
    file = Path(__file__).parents[1] / "plugins" / "dataset" / "test_published.py"
    spec = importlib.util.spec_from_file_location("published_trees", file)
    trees = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(trees)
    planted = {}

    def plant(name):
        if name not in planted:
            options, files = trees.TREES[name]
            root = tmp_path_factory.mktemp(name)
            trees.plant(root, files)
            planted[name] = {"path": str(root), **options}
        return planted[name]

    return plant


@pytest.fixture(scope="session")
def parameters(tmp_path_factory):
    """parameters(component): a file of random parameters for a net of an extra, where the extra is installed."""
    makers = {"timm": _of_timm, "spandrel": _of_spandrel}
    made = {}

    def make(component):
        (package,) = component.requires
        if importlib.util.find_spec(package) is None:
            return {}
        if package not in made:
            made[package] = makers[package](tmp_path_factory.mktemp(package))
        return made[package]

    return make


def _of_timm(folder):
    import timm
    from safetensors.torch import save_file

    name = "mobilenetv3_small_050"
    tensors = timm.create_model(name, pretrained=False).state_dict()
    save_file({n: t.contiguous().clone() for n, t in tensors.items()}, folder / "net.safetensors")
    return {"model": name, "weights": str(folder / "net.safetensors")}


def _of_spandrel(folder):
    from spandrel.architectures.NAFNet.__arch.NAFNet_arch import NAFNet

    network = NAFNet(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1])
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    torch.save({"params": network.state_dict()}, folder / "restorer.pth")
    return {"weights": str(folder / "restorer.pth")}
