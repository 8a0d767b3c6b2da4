"""Declares the first-party decompositions: smoothing filters whose residual is the texture."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

import texprior_plugins.decomposition._citations as cite
from texprior.plugin import Decomposition, Options, Tune, hookimpl

Count = Annotated[int, Field(ge=1, le=20, description="iterations")]
Levels = Annotated[
    float,
    Field(ge=0.01, le=8.0, description="number of bands to remove, finest first; 1.5 removes half of the second"),
    Tune(0.5, 4.0),
]
SigmaRange = Annotated[
    float,
    Field(ge=1e-3, le=10.0, description="standard deviation in colour, for values in [0, 1]"),
    Tune(0.02, 0.5, log=True),
]
SigmaSpace = Annotated[float, Field(ge=0.5, le=16.0, description="standard deviation in space, px"), Tune(1.0, 6.0)]


class NoneOptions(Options):
    """Options of ``none``: there are none."""


class GaussianOptions(Options):
    """Options of ``gaussian``."""

    sigma: Annotated[
        float, Field(ge=0.2, le=64.0, description="standard deviation of the blur, px"), Tune(0.5, 8.0, log=True)
    ] = 2.0


class LaplacianOptions(Options):
    """Options of ``laplacian``."""

    levels: Levels = 2.0


class WaveletOptions(Options):
    """Options of ``wavelet``."""

    levels: Levels = 2.0
    moments: Annotated[
        int, Field(ge=1, le=8, description="vanishing moments N of the wavelet dbN; 1 is Haar"), Tune(1, 4)
    ] = 2


class GuidedOptions(Options):
    """Options of ``guided``."""

    radius: Annotated[int, Field(ge=1, le=64, description="radius of the square window, px"), Tune(2, 16)] = 8
    eps: Annotated[
        float,
        Field(ge=1e-6, le=1.0, description="variance, for values in [0, 1], below which a window is smoothed"),
        Tune(1e-4, 1e-1, log=True),
    ] = 0.01


class BilateralOptions(Options):
    """Options of ``bilateral``."""

    sigma_range: SigmaRange = 0.1
    sigma_space: SigmaSpace = 3.0


class RollingGuidanceOptions(Options):
    """Options of ``rolling_guidance``."""

    sigma_space: SigmaSpace = 3.0
    sigma_range: SigmaRange = 25 / 255
    iterations: Count = 4


class DomainTransformOptions(Options):
    """Options of ``domain_transform``."""

    sigma_range: Annotated[
        float,
        Field(ge=1e-3, le=50.0, description="colour difference that counts as much as a distance of sigma_space"),
        Tune(0.05, 2.0, log=True),
    ] = 0.4
    sigma_space: Annotated[
        float, Field(ge=0.5, le=1000.0, description="standard deviation in space, px"), Tune(5.0, 200.0, log=True)
    ] = 60.0
    iterations: Count = 3


class TotalVariationOptions(Options):
    """Options of ``tv``."""

    lam: Annotated[
        float, Field(ge=1e-4, le=4.0, description="lambda: cost of total variation"), Tune(0.01, 0.5, log=True)
    ] = 0.1
    tolerance: Annotated[
        float,
        Field(ge=1e-5, le=0.1, description="largest root mean square error of the solution, for values in [0, 1]"),
    ] = 0.003


class RelativeTotalVariationOptions(Options):
    """Options of ``rtv``."""

    lam: Annotated[
        float, Field(ge=1e-5, le=1.0, description="lambda: cost of relative total variation"), Tune(1e-3, 0.1, log=True)
    ] = 0.01
    sigma: Annotated[
        float, Field(ge=0.5, le=16.0, description="size of the texture's elements (window sigma), px"), Tune(1.0, 6.0)
    ] = 3.0
    sharpness: Annotated[
        float, Field(ge=1e-4, le=0.2, description="gradient per px below which everything is smoothed equally")
    ] = 0.02
    iterations: Count = 4


class WeightedLeastSquaresOptions(Options):
    """Options of ``wls``."""

    lam: Annotated[
        float, Field(ge=1e-4, le=1000.0, description="lambda: cost of gradients"), Tune(0.02, 10.0, log=True)
    ] = 1.0
    alpha: Annotated[
        float,
        Field(ge=0.2, le=3.0, description="exponent of the weights: larger keeps strong gradients more sharply"),
        Tune(),
    ] = 1.2


class L0Options(Options):
    """Options of ``l0``."""

    lam: Annotated[
        float,
        Field(ge=1e-5, le=1.0, description="lambda: cost of each pixel whose gradient is not zero"),
        Tune(2e-3, 1e-1, log=True),
    ] = 0.02
    kappa: Annotated[
        float,
        Field(gt=1.0, le=8.0, description="factor by which beta grows per iteration; smaller is slower and finer"),
    ] = 2.0
    beta_max: Annotated[float, Field(ge=10.0, le=1e8, description="beta at which the iterations end")] = 1e5


def _filter(
    name: str,
    impl: str,
    options: type[Options],
    summary: str,
    tags: str,
    citation: str = "",
    strength: str = "",
    local: bool = False,
    slow: bool = False,
) -> Decomposition:
    """Returns the record of the class ``impl`` in the file ``name``.py."""
    place, words = f"texprior_plugins.decomposition.{name}:{impl}", tuple(tags.split())
    return Decomposition(
        name,
        place,
        options,
        summary,
        api=2,
        tags=words,
        citation=citation,
        strength=strength,
        local=local,
        slow=slow,
    )


COMPONENTS = [
    _filter(
        "none",
        "Nothing",
        NoneOptions,
        "No decomposition: the structure is the picture's mean colour, the texture is the rest; a plain image prior.",
        "control linear global",
    ),
    _filter(
        "gaussian",
        "Gaussian",
        GaussianOptions,
        "Gaussian low-pass: the texture is all fine detail, including edges.",
        "linear",
        cite.GAUSSIAN,
        "sigma",
        local=True,
    ),
    _filter(
        "laplacian",
        "Laplacian",
        LaplacianOptions,
        "Laplacian pyramid without its finest bands.",
        "linear",
        cite.LAPLACIAN,
        "levels",
        local=True,
    ),
    _filter(
        "wavelet",
        "Wavelet",
        WaveletOptions,
        "Daubechies wavelets without their finest bands: orthogonal layers, but not shift-invariant.",
        "linear",
        cite.WAVELET,
        "levels",
        local=True,
    ),
    _filter(
        "guided",
        "Guided",
        GuidedOptions,
        "Guided filter with each channel as its own guide: edge-preserving, one pass, time linear in the pixels.",
        "edge-preserving",
        cite.GUIDED,
        "eps",
        local=True,
    ),
    _filter(
        "bilateral",
        "Bilateral",
        BilateralOptions,
        "Bilateral filter: means over neighbours that are close in space and in colour.",
        "edge-preserving",
        cite.BILATERAL,
        "sigma_range",
        local=True,
        slow=True,
    ),
    _filter(
        "rolling_guidance",
        "RollingGuidance",
        RollingGuidanceOptions,
        "Rolling guidance: removes detail smaller than a scale, then restores the edges of larger objects.",
        "edge-preserving scale-aware",
        cite.ROLLING_GUIDANCE,
        "sigma_space",
        local=True,
        slow=True,
    ),
    _filter(
        "domain_transform",
        "DomainTransform",
        DomainTransformOptions,
        "Domain transform (recursive filter): smooths along rows and columns, but not across strong edges.",
        "edge-preserving global",
        cite.DOMAIN_TRANSFORM,
        "sigma_range",
    ),
    _filter(
        "tv",
        "TotalVariation",
        TotalVariationOptions,
        "Total variation (ROF), solved in its dual: a piecewise-smooth structure with less contrast.",
        "edge-preserving global",
        cite.TV,
        "lam",
        slow=True,
    ),
    _filter(
        "rtv",
        "RelativeTotalVariation",
        RelativeTotalVariationOptions,
        "Relative total variation: removes gradients that cancel within a window, keeps those that add up.",
        "edge-preserving scale-aware global",
        cite.RTV,
        "lam",
        slow=True,
    ),
    _filter(
        "wls",
        "WeightedLeastSquares",
        WeightedLeastSquaresOptions,
        "Weighted least squares: smooths except at strong gradients of the log luminance; one linear equation.",
        "edge-preserving global",
        cite.WLS,
        "lam",
        slow=True,
    ),
    _filter(
        "l0",
        "L0",
        L0Options,
        "L0 gradient minimisation: a piecewise-constant structure with sharp edges, solved by cosine transforms.",
        "edge-preserving global",
        cite.L0,
        "lam",
        slow=True,
    ),
]


@hookimpl
def texprior_decompositions() -> list[Decomposition]:
    """Returns the records of all decompositions in this folder."""
    return COMPONENTS
