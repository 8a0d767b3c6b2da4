"""First-party decompositions: smoothing filters whose residual is the texture."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from texprior.plugin import Decomposition, Options, Tune, hookimpl


class GuidedOptions(Options):
    """Options of the self-guided filter."""

    radius: Annotated[int, Field(ge=1, le=64, description="radius of the square window, px"), Tune(2, 16)] = 8
    eps: Annotated[
        float,
        Field(ge=1e-6, le=1.0, description="variance (of values in [0, 1]) below which a window is smoothed away"),
        Tune(1e-4, 1e-1, log=True),
    ] = 0.01


class L0Options(Options):
    """Options of L0 gradient minimisation."""

    lam: Annotated[
        float,
        Field(ge=1e-5, le=1.0, description="lambda: cost of one pixel whose gradient is not zero"),
        Tune(2e-3, 1e-1, log=True),
    ] = 0.02
    kappa: Annotated[
        float, Field(gt=1.0, le=8.0, description="factor by which beta grows; smaller is slower and more accurate")
    ] = 2.0
    beta_max: Annotated[float, Field(ge=10.0, le=1e8, description="beta at which the iteration ends")] = 1e5


GUIDED = Decomposition(
    "guided",
    "texprior_plugins.decomposition.guided:Guided",
    GuidedOptions,
    "Guided filter with each channel as its own guide: edge-preserving, linear in time, one pass.",
    tags=("edge-preserving", "local"),
    citation="""@inproceedings{he2010guided,
  author    = {He, Kaiming and Sun, Jian and Tang, Xiaoou},
  title     = {Guided Image Filtering},
  booktitle = {European Conference on Computer Vision (ECCV)},
  pages     = {1--14},
  year      = {2010},
  doi       = {10.1007/978-3-642-15549-9_1}
}""",
    strength="eps",
)

L0 = Decomposition(
    "l0",
    "texprior_plugins.decomposition.l0:L0",
    L0Options,
    "L0 gradient minimisation: piecewise-constant structure with sharp edges, solved by cosine transforms.",
    tags=("edge-preserving", "global"),
    citation="""@article{xu2011l0,
  author  = {Xu, Li and Lu, Cewu and Xu, Yi and Jia, Jiaya},
  title   = {Image Smoothing via {$L_0$} Gradient Minimization},
  journal = {ACM Transactions on Graphics (Proc. SIGGRAPH Asia)},
  volume  = {30},
  number  = {6},
  pages   = {174:1--174:12},
  year    = {2011},
  doi     = {10.1145/2070781.2024208}
}""",
    strength="lam",
)


@hookimpl
def texprior_decompositions() -> list[Decomposition]:
    """The components."""
    return [GUIDED, L0]
