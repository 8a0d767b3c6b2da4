"""A clock that waits for the device."""

import time

import pytest
import torch

from texprior.runtime.device_clock import device_time


def test_the_cpu_has_nothing_to_wait_for():
    before = time.monotonic()
    assert before <= device_time(torch.device("cpu")) <= time.monotonic()


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_the_device_is_waited_for_before_the_clock_is_read(kind, monkeypatch):
    """Without the device: what it still has to do takes 50 ms, which the time must include."""
    monkeypatch.setattr(getattr(torch, kind), "synchronize", lambda *_device: time.sleep(0.05))
    before = time.monotonic()
    assert device_time(torch.device(kind)) - before >= 0.05


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_the_time_of_kernels_is_that_of_cuda_events():
    """Ten products of 4096 x 4096 matrices, against CUDA's own stopwatch."""
    device = torch.device("cuda")
    matrix = torch.rand(4096, 4096, device=device)
    matrix @ matrix
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    started = device_time(device)
    first.record()
    for _ in range(10):
        matrix @ matrix
    last.record()
    elapsed = device_time(device) - started
    assert elapsed == pytest.approx(first.elapsed_time(last) / 1000, rel=0.2)
