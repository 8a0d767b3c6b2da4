"""Registers the launchers: processes of this machine, and tasks of a Ray cluster (an extra)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from texprior.plugin import Launcher, Options, hookimpl

_RAY = """@inproceedings{moritz2018ray,
  title = {Ray: A Distributed Framework for Emerging {AI} Applications},
  author = {Moritz, Philipp and Nishihara, Robert and Wang, Stephanie and Tumanov, Alexey and Liaw, Richard and
            Liang, Eric and Elibol, Melih and Yang, Zongheng and Paul, William and Jordan, Michael I. and Stoica, Ion},
  booktitle = {13th USENIX Symposium on Operating Systems Design and Implementation},
  year = {2018}
}"""


class RayOptions(Options):
    """The cluster, and how often a task is started again."""

    address: Annotated[
        str | None,
        Field(description="address of the cluster; if null, that of RAY_ADDRESS, else a new one on this machine"),
    ] = None
    retries: Annotated[
        int, Field(ge=0, le=100, description="how often Ray starts a worker again whose node or process died")
    ] = 3


@hookimpl
def texprior_launchers() -> list[Launcher]:
    """Returns the records of the launchers."""
    return [
        Launcher(
            "local",
            "texprior_plugins.launcher.local:Local",
            summary="Processes of this machine.",
            api=2,
            local=True,
        ),
        Launcher(
            "ray",
            "texprior_plugins.launcher.ray:Ray",
            RayOptions,
            "Tasks of a Ray cluster; needs the extra 'ray'.",
            api=2,
            tags=("extra",),
            citation=_RAY,
            requires=("ray",),
        ),
    ]
