"""Declares the first-party events components."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from texprior.plugin import Events, Options, hookimpl


class MlflowOptions(Options):
    """Options of ``mlflow``: where the runs are kept, and how often values are written."""

    tracking_uri: Annotated[
        str | None,
        Field(
            description="address of the MLflow store; null uses MLFLOW_TRACKING_URI if it is set, else the embedded"
            " store in texprior-runs"
        ),
    ] = None
    flush_every_s: Annotated[
        float, Field(gt=0, le=86400, description="shortest time between two writes of buffered values, seconds")
    ] = 2.0


@hookimpl
def texprior_events() -> list[Events]:
    """Returns the records of all events components in this folder."""
    return [
        Events(
            "mlflow",
            "texprior_plugins.events.mlflow:MlflowEvents",
            MlflowOptions,
            "Records runs, values, pictures and files in MLflow.",
            api=2,
            tracker=True,
        )
    ]
