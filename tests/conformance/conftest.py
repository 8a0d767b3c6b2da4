"""What first-party components cannot be checked without: folders of pictures, and a store of the test's own."""

import pytest

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
def example(folders, tmp_path_factory):
    """Options of a component, by the options that its record declares without a default."""
    lists = {}
    for kind, suffix in (("path", ".png"), ("degraded", "")):
        lists[kind] = folders / f"lists-{kind}"
        lists[kind].mkdir()
        for split, names in SPLITS.items():
            lines = "".join(f"{name}{suffix}\n" for name in names)
            (lists[kind] / f"{split}.txt").write_text(lines, encoding="utf-8")
    store = tmp_path_factory.mktemp("store")
    known = {
        frozenset({"path", "lists"}): {"path": str(folders / "clean"), "lists": str(lists["path"])},
        frozenset({"degraded", "clean", "lists"}): {
            "degraded": str(folders / "degraded"),
            "clean": str(folders / "clean"),
            "lists": str(lists["degraded"]),
        },
    }

    def options(component):
        fields = component.options.model_fields
        if component.kind == "events" and "tracking_uri" in fields:
            return {"tracking_uri": f"sqlite:///{store / 'mlflow.db'}"}
        required = {name for name, info in fields.items() if info.is_required() and not info.examples}
        return next((given for names, given in known.items() if required and required <= names <= set(fields)), {})

    return options
