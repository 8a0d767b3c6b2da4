"""Runs any metric of the package pyiqa by its name there.

pyiqa (Chen, Mo 2022) is an extra.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import torch
from torch import Tensor

from texprior.errors import ConfigError
from texprior_plugins.metric import PyiqaOptions
from texprior_plugins.metric._pictures import check_pair, check_picture


class Pyiqa:
    """Metric ``pyiqa.create_metric(name)``, one picture at a time.

    It runs on the device of the picture and in float32. pyiqa determines the direction and whether the metric needs a
    reference. pyiqa itself downloads the parameters of the metric, unless they are in its cache already.
    """

    def __init__(self, options: PyiqaOptions) -> None:
        self.key = f"pyiqa_{options.name}"
        pyiqa = _package()
        known = pyiqa.list_models()
        if options.name not in known:
            raise ConfigError(
                f"metric pyiqa: there is no metric '{options.name}' in pyiqa; known are: {', '.join(known)}"
            )

        # pyiqa prints to stdout, which is for results of the command line
        try:
            with contextlib.redirect_stdout(sys.stderr):
                self.metric = pyiqa.create_metric(options.name, device="cpu")
        # pyiqa downloads files and imports further packages here, so that any exception is possible
        except Exception as error:
            raise ConfigError(
                f"metric pyiqa: '{options.name}' cannot be created ({type(error).__name__}: {error}); pyiqa "
                "downloads the parameters of a metric at its first use"
            ) from error

        # a metric that compares sets, such as fid, has no score per picture
        if self.metric.metric_mode not in ("FR", "NR"):
            raise ConfigError(f"metric pyiqa: '{options.name}' does not score single pictures")
        self.reference = self.metric.metric_mode == "FR"
        self.better = "lower" if self.metric.lower_better else "higher"

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None = None) -> Tensor:
        """Returns the scores, (B,) float64 on the CPU."""
        check_picture(self.key, image_BCHW)
        reference = check_pair(self.key, image_BCHW, reference_BCHW) if self.reference else None
        metric = self.metric.to(image_BCHW.device)
        scores = []
        with torch.autocast(image_BCHW.device.type, enabled=False):
            for i in range(len(image_BCHW)):
                pictures = [part[i : i + 1].float().clamp(0, 1) for part in (image_BCHW, reference) if part is not None]
                scores.append(metric(*pictures).double().cpu().reshape(()))
        return torch.stack(scores)


def _package() -> Any:
    try:
        import pyiqa
    # pyiqa needs torchvision, whose import fails with various exceptions if it does not match torch
    except Exception as error:
        raise ConfigError(
            f"metric pyiqa needs the package pyiqa, which cannot be imported ({type(error).__name__}: {error}); "
            "install texprior[pyiqa] and a torchvision that matches torch"
        ) from error
    return pyiqa
