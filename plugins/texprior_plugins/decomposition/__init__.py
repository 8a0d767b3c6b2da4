"""First-party decompositions: smoothing filters whose residual is the texture."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

import texprior_plugins.decomposition._citations as cite
from texprior.plugin import Decomposition, Options, Tune, hookimpl

Count = Annotated[int, Field(ge=1, le=20, description="iterations")]
Levels = Annotated[
    float,
    Field(ge=0.01, le=8.0, description="bands taken away, the finest first; a fraction takes a share of the last one"),
    Tune(0.5, 4.0),
]
SigmaRange = Annotated[float, Field(ge=1e-3, le=10.0, description="spread in colour"), Tune(0.02, 0.5, log=True)]
SigmaSpace = Annotated[float, Field(ge=0.5, le=16.0, description="spread in space, px"), Tune(1.0, 6.0)]


class NoneOptions(Options):
    """No decomposition has no options."""


class GaussianOptions(Options):
    """Options of the Gaussian."""

    sigma: Annotated[float, Field(ge=0.2, le=64.0, description="blur, px"), Tune(0.5, 8.0, log=True)] = 2.0


class LaplacianOptions(Options):
    """Options of the Laplacian pyramid."""

    levels: Levels = 2.0


class WaveletOptions(Options):
    """Options of the wavelet transform."""

    levels: Levels = 2.0
    moments: Annotated[
        int, Field(ge=1, le=8, description="vanishing moments: 1 is Haar, 2 is db2, N is dbN"), Tune(1, 4)
    ] = 2


class GuidedOptions(Options):
    """Options of the self-guided filter."""

    radius: Annotated[int, Field(ge=1, le=64, description="radius of the square window, px"), Tune(2, 16)] = 8
    eps: Annotated[
        float,
        Field(ge=1e-6, le=1.0, description="variance (of values in [0, 1]) below which a window is smoothed away"),
        Tune(1e-4, 1e-1, log=True),
    ] = 0.01


class BilateralOptions(Options):
    """Options of the bilateral filter."""

    sigma_range: SigmaRange = 0.1
    sigma_space: SigmaSpace = 3.0


class RollingGuidanceOptions(Options):
    """Options of rolling guidance."""

    sigma_space: SigmaSpace = 3.0
    sigma_range: SigmaRange = 25 / 255
    iterations: Count = 4


class DomainTransformOptions(Options):
    """Options of the domain transform."""

    sigma_range: Annotated[
        float,
        Field(ge=1e-3, le=50.0, description="colour that counts as far as sigma_space"),
        Tune(0.05, 2.0, log=True),
    ] = 0.4
    sigma_space: Annotated[
        float, Field(ge=0.5, le=1000.0, description="standard deviation in space, px"), Tune(5.0, 200.0, log=True)
    ] = 60.0
    iterations: Count = 3


class TotalVariationOptions(Options):
    """Options of total variation."""

    lam: Annotated[
        float, Field(ge=1e-4, le=4.0, description="lambda: cost of total variation"), Tune(0.01, 0.5, log=True)
    ] = 0.1
    tolerance: Annotated[float, Field(ge=1e-5, le=0.1, description="root mean square error, at most")] = 0.003


class RelativeTotalVariationOptions(Options):
    """Options of relative total variation."""

    lam: Annotated[
        float, Field(ge=1e-5, le=1.0, description="lambda: cost of variation"), Tune(1e-3, 0.1, log=True)
    ] = 0.01
    sigma: Annotated[
        float, Field(ge=0.5, le=16.0, description="size of the texture's elements, px"), Tune(1.0, 6.0)
    ] = 3.0
    sharpness: Annotated[float, Field(ge=1e-4, le=0.2, description="gradient below which all is smoothed alike")] = 0.02
    iterations: Count = 4


class WeightedLeastSquaresOptions(Options):
    """Options of weighted least squares."""

    lam: Annotated[
        float, Field(ge=1e-4, le=1000.0, description="lambda: cost of gradients"), Tune(0.02, 10.0, log=True)
    ] = 1.0
    alpha: Annotated[float, Field(ge=0.2, le=3.0, description="how sharply strong gradients are spared"), Tune()] = 1.2


class L0Options(Options):
    """Options of L0 gradient minimisation."""

    lam: Annotated[
        float,
        Field(ge=1e-5, le=1.0, description="lambda: cost of one pixel whose gradient is not zero"),
        Tune(2e-3, 1e-1, log=True),
    ] = 0.02
    kappa: Annotated[float, Field(gt=1.0, le=8.0, description="growth of beta; smaller is slower and finer")] = 2.0
    beta_max: Annotated[float, Field(ge=10.0, le=1e8, description="beta at which the iteration ends")] = 1e5


def _filter(
    name: str, impl: str, options: type[Options], summary: str, tags: str, citation: str = "", strength: str = ""
) -> Decomposition:
    place = f"texprior_plugins.decomposition.{name}:{impl}"
    return Decomposition(name, place, options, summary, tuple(tags.split()), citation, strength=strength)


COMPONENTS = [
    _filter(
        "none",
        "Nothing",
        NoneOptions,
        "No decomposition: the structure is the picture's mean colour, the texture all the rest; a plain image prior.",
        "control linear global",
    ),
    _filter(
        "gaussian",
        "Gaussian",
        GaussianOptions,
        "Gaussian low-pass: the texture is all that is fine, edges included.",
        "linear local",
        cite.GAUSSIAN,
        "sigma",
    ),
    _filter(
        "laplacian",
        "Laplacian",
        LaplacianOptions,
        "Laplacian pyramid without its finest bands.",
        "linear local",
        cite.LAPLACIAN,
        "levels",
    ),
    _filter(
        "wavelet",
        "Wavelet",
        WaveletOptions,
        "Daubechies wavelets without their finest bands: orthogonal layers, but not shift-invariant.",
        "linear local",
        cite.WAVELET,
        "levels",
    ),
    _filter(
        "guided",
        "Guided",
        GuidedOptions,
        "Guided filter with each channel as its own guide: edge-preserving, linear in time, one pass.",
        "edge-preserving local",
        cite.GUIDED,
        "eps",
    ),
    _filter(
        "bilateral",
        "Bilateral",
        BilateralOptions,
        "Bilateral filter: means over neighbours that are near in place and in colour.",
        "edge-preserving local slow",
        cite.BILATERAL,
        "sigma_range",
    ),
    _filter(
        "rolling_guidance",
        "RollingGuidance",
        RollingGuidanceOptions,
        "Rolling guidance: removes what is smaller than a scale, then brings back the edges of what is larger.",
        "edge-preserving scale-aware local slow",
        cite.ROLLING_GUIDANCE,
        "sigma_space",
    ),
    _filter(
        "domain_transform",
        "DomainTransform",
        DomainTransformOptions,
        "Domain transform, recursive filter: smooths along rows and columns up to strong edges.",
        "edge-preserving global",
        cite.DOMAIN_TRANSFORM,
        "sigma_range",
    ),
    _filter(
        "tv",
        "TotalVariation",
        TotalVariationOptions,
        "Total variation (ROF), solved in its dual: piecewise-smooth structure of less contrast.",
        "edge-preserving global slow",
        cite.TV,
        "lam",
    ),
    _filter(
        "rtv",
        "RelativeTotalVariation",
        RelativeTotalVariationOptions,
        "Relative total variation: removes gradients that cancel within a window, keeps those that add up.",
        "edge-preserving scale-aware global slow",
        cite.RTV,
        "lam",
    ),
    _filter(
        "wls",
        "WeightedLeastSquares",
        WeightedLeastSquaresOptions,
        "Weighted least squares: smooth but for strong gradients of the log luminance, by one linear equation.",
        "edge-preserving global slow",
        cite.WLS,
        "lam",
    ),
    _filter(
        "l0",
        "L0",
        L0Options,
        "L0 gradient minimisation: piecewise-constant structure with sharp edges, solved by cosine transforms.",
        "edge-preserving global slow",
        cite.L0,
        "lam",
    ),
]


@hookimpl
def texprior_decompositions() -> list[Decomposition]:
    """The components."""
    return COMPONENTS
