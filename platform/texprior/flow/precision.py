"""Sets how exactly a device computes: bfloat16 where it is faster, and what a CUDA GPU may round.

torch keeps the settings of a GPU for the whole process, so each function restores them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior.errors import ConfigError

CHOICE = "TEXPRIOR_BFLOAT16"
"""The variable that says whether bfloat16 is used, ``yes`` or ``no``; if it is not set, each device decides."""
_GAIN = 0.8
"""Bfloat16 is used on a CPU if it takes at most this share of float32's time in a trial.

A processor with avx512_bf16 takes .54. One without such instructions converts each value, and gains nothing."""
_ROUNDS = 40
"""Rounds of the trial, of which the median counts: many short ones, because other processes slow some of them."""


def autocast(device: torch.device, wanted: bool) -> contextlib.AbstractContextManager[object]:
    """Returns a context that computes in bfloat16, if that is wanted and faster on the device."""
    if wanted and gains_from_bfloat16(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def precision_name(device: torch.device, wanted: bool) -> str:
    """Returns the precision of ``autocast``, for records: ``bfloat16`` or ``float32``."""
    return "bfloat16" if wanted and gains_from_bfloat16(device) else "float32"


def gains_from_bfloat16(device: torch.device) -> bool:
    """Returns whether a device computes faster in bfloat16 than in float32.

    A CPU is tried once in a process, which takes about 0.1 s. A GPU must have hardware for it. The
    variable TEXPRIOR_BFLOAT16 replaces the answer. Raises ConfigError if its value is neither ``yes`` nor ``no``.
    """
    # the variable is read each time, because it may change after the trial
    choice = os.environ.get(CHOICE, "")
    if choice not in ("", "yes", "no"):
        raise ConfigError(f"{CHOICE} is '{choice}'; set it to yes or no, or leave it out")
    if choice:
        return choice == "yes"
    if device.type == "cuda":
        # a GPU that only emulates bfloat16 would gain nothing
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and _cpu_gains()


def settle_bfloat16(device: torch.device, gains: bool) -> None:
    """Lets this process and those that it starts compute on a CPU as another process decided.

    Two trials of one processor can end on both sides of the limit, and then what is one result would be computed in two
    precisions. Does nothing on a GPU, or if the user has set TEXPRIOR_BFLOAT16.
    """
    if device.type == "cpu" and not os.environ.get(CHOICE):
        os.environ[CHOICE] = "yes" if gains else "no"


@functools.cache
def _cpu_gains() -> bool:
    return _trial() < _GAIN


@torch.no_grad()
def _trial() -> float:
    """Returns the time of a convolution on the CPU in bfloat16, divided by its time in float32."""
    # a middle layer of a small denoiser
    image, weight = torch.ones(8, 64, 16, 16), torch.ones(64, 64, 3, 3)
    image, weight = (t.contiguous(memory_format=torch.channels_last) for t in (image, weight))
    pairs = {dtype: (image.to(dtype), weight.to(dtype)) for dtype in (torch.float32, torch.bfloat16)}
    ratios = []
    for _ in range(_ROUNDS):
        exact, half = (_seconds(*pairs[dtype]) for dtype in (torch.float32, torch.bfloat16))
        ratios.append(half / exact)
    return median(ratios)


def _seconds(image_BCHW: Tensor, weight: Tensor) -> float:
    # this thread's time on the processor: other busy processes do not count
    started = time.thread_time()
    F.conv2d(image_BCHW, weight, padding=1)
    return time.thread_time() - started


@contextmanager
def full_float32() -> Iterator[None]:
    """Computes float32 with all its bits, instead of TF32, until the block ends.

    TF32 keeps 10 bits of the mantissa, and torch uses it for convolutions by default. Scores and semantic codes would
    then depend on the GPU.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


@contextmanager
def repeatable_convolutions() -> Iterator[None]:
    """Lets cuDNN use only algorithms that sum in a fixed order, until the block ends.

    It also chooses the same one every time. Otherwise two equal trainings differ by rounding. Some other operations of
    torch, such as the backward pass of attention and of upsampling, still sum in any order on a GPU.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
