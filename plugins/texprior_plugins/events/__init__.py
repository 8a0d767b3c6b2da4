"""First-party components of the kind events."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from texprior.plugin import Events, Options, hookimpl


class MlflowOptions(Options):
    """Where MLflow keeps the runs, and how often values are written."""

    tracking_uri: Annotated[
        str | None,
        Field(description="the store; none is MLFLOW_TRACKING_URI if set, else the embedded store in texprior-runs"),
    ] = None
    flush_every_s: Annotated[float, Field(gt=0, description="values are written at most this often, s")] = 2.0


@hookimpl
def texprior_events() -> list[Events]:
    """The components."""
    return [
        Events(
            "mlflow",
            "texprior_plugins.events.mlflow:MlflowEvents",
            MlflowOptions,
            "Keeps runs, values and pictures in MLflow.",
            tags=("tracker",),
        )
    ]
