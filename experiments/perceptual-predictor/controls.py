"""Scores what costs nothing: the predictor's pictures with white noise, or sharpened.

python experiments/perceptual-predictor/controls.py FOLDER REFERENCES

FOLDER is ``restored`` of a cell of the arm ``predictor``, REFERENCES has the clean pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from torch import Tensor

from texprior.diffusion.keys import normal
from texprior.flow.image import load_image
from texprior.plugin import Ref
from texprior.registry import Registry

METRICS = ("psnr", "lpips_alex", "niqe", "brisque", "texture_ratio")


def noisy(level: float) -> Callable[[Tensor, str], Tensor]:
    """Returns a function that adds white noise of this standard deviation, in units of 1/255."""
    return lambda picture, key: picture + level / 255 * normal(tuple(picture.shape), 0, "control", key)


def sharpened(amount: float) -> Callable[[Tensor, str], Tensor]:
    """Returns a function that adds a multiple of the difference from a Gaussian blur of 1 px."""

    def change(picture: Tensor, _key: str) -> Tensor:
        blurred = cv2.GaussianBlur(picture[0].permute(1, 2, 0).numpy(), (0, 0), 1.0)
        return picture + amount * (picture - torch.from_numpy(blurred).permute(2, 0, 1)[None])

    return change


CONTROLS: dict[str, Callable[[Tensor, str], Tensor]] = {
    "as it is": lambda picture, _key: picture,
    **{f"noise {level}/255": noisy(level) for level in (1, 2, 3, 4)},
    **{f"sharpened {amount}": sharpened(amount) for amount in (0.25, 0.5)},
}


def main(folder: Path, references: Path) -> None:
    """Prints the mean of each metric over the pictures, rounded to 8 bits as files are."""
    torch.set_num_threads(1)
    registry = Registry.discover()
    metrics = {name: registry.build("metric", Ref(name=name)) for name in METRICS}
    pictures = sorted(folder.glob("*.png"))
    print("control", *METRICS)
    for name, change in CONTROLS.items():
        sums = dict.fromkeys(METRICS, 0.0)
        for path in pictures:
            reference = load_image(references / path.stem)[None]
            shown = (change(load_image(path)[None], path.name).clamp(0, 1) * 255).round() / 255
            for metric, score in metrics.items():
                with_reference = registry.find("metric", metric).component.reference
                sums[metric] += float((score(shown, reference) if with_reference else score(shown))[0])
        print(name, *(f"{total / len(pictures):.4f}" for total in sums.values()), flush=True)
    clean = [load_image(references / path.stem)[None] for path in pictures]
    for metric in ("niqe", "brisque"):
        mean = sum(float(metrics[metric](picture)[0]) for picture in clean) / len(clean)
        print(f"{metric} of the references: {mean:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
