"""Declares the augmentations of training patches."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from texprior.plugin import Augmentation, Options, Tune, hookimpl

_CUTBLUR = """@inproceedings{yoo2020rethinking,
  title = {Rethinking Data Augmentation for Image Super-resolution: A Comprehensive Analysis and a New Strategy},
  author = {Yoo, Jaejun and Ahn, Namhyuk and Sohn, Kyung-Ah},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2020},
  note = {arXiv:2004.00448}
}"""


class CutBlurOptions(Options):
    """How often a rectangle is exchanged, and how large it is."""

    probability: Annotated[float, Field(ge=0, le=1, description="share of the patches that are changed"), Tune()] = 1.0
    side: Annotated[
        float, Field(gt=0, lt=1, description="side of the rectangle, as a share of the patch's"), Tune(0.2, 0.9)
    ] = 0.7


@hookimpl
def texprior_augmentations() -> list[Augmentation]:
    """Returns the records of the augmentations."""
    return [
        Augmentation(
            name="dihedral",
            impl="texprior_plugins.augmentation.flips:Dihedral",
            summary="Mirrors patches up-down, left-right, and along a diagonal, each with probability 1/2.",
            api=2,
            directions="turns",
        ),
        Augmentation(
            name="mirror",
            impl="texprior_plugins.augmentation.flips:Mirror",
            summary="Mirrors patches left-right with probability 1/2, so that rain still falls down.",
            api=2,
            directions="mirrors",
        ),
        Augmentation(
            name="cutblur",
            impl="texprior_plugins.augmentation.cutblur:CutBlur",
            options=CutBlurOptions,
            summary="Exchanges a rectangle of degraded and clean picture; it acts in the predictor's training alone.",
            api=2,
            directions="keeps",
            citation=_CUTBLUR,
        ),
    ]
