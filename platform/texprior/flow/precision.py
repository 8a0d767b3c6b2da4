"""Sets how exactly a CUDA GPU computes; on other devices nothing changes.

torch keeps these settings for the whole process, so each function restores them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
