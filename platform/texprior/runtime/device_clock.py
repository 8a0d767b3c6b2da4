"""Reads the time at which a device has finished its work."""

from __future__ import annotations

import time

import torch


def device_time(device: torch.device) -> float:
    """Waits for the pending work of a device, then returns the time, s.

    Only differences of such times have a meaning.
    """
    # a GPU runs kernels after the call that launches them: without this, a clock measures how long launching takes
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.monotonic()
