"""Declares the first-party events components."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from texprior.addresses import redact
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
        float, Field(gt=0, description="shortest time between two writes of buffered values, seconds")
    ] = 2.0

    @field_validator("tracking_uri")
    @classmethod
    def _has_no_password(cls, address: str | None) -> str | None:
        # The experiment is stored with every run and model, and is a run's parameters in MLflow.
        if address and redact(address) != address:
            raise ValueError(
                "an experiment is stored with every run, so it must hold no password; give the address in "
                "MLFLOW_TRACKING_URI, or user and password in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        return address


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
