"""Measures the training steps on a GPU, and trains the reference recipe; ``gpu.sh`` starts it.

    python benchmarks/gpu.py OUT [--cpu-small]

Writes ``rates.json`` after each figure, then the folders ``prior`` and ``model`` with the trained weights.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import texprior
from texprior.config import with_overrides
from texprior.runtime.device_clock import device_time
from texprior.runtime.session import Session
from texprior.training.folders import CHECKPOINT
from texprior.training.losses import autocast
from training import Case, cases, steps_of

HERE = Path(__file__).resolve().parent
STAGES = ("prior", "predictor", "adapter")
SMALL = (
    *("denoiser.unet.width=8", "denoiser.unet.blocks=1", "predictor.unet.width=8", "predictor.unet.blocks=1"),
    *(f"data.{split}.bundled.max_side=96" for split in ("train", "val", "test")),
    *("data.variants=1", "device=cpu"),
    *(f"training.{stage}.{rest}" for stage in STAGES for rest in ("batch=4", "patch=32", "budget.images=16")),
)
"""Overrides of ``--cpu-small``."""
WARM_UP, TIMED = 5, 40
"""Steps before the clock starts, in which kernels are chosen and memory is taken, and steps that are timed."""


def main() -> None:
    """Writes the rates, then trains and writes the weights."""
    parser = argparse.ArgumentParser(
        description="Measures the training steps on a GPU and trains the reference recipe."
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--cpu-small", action="store_true")
    asked = parser.parse_args()
    if not asked.cpu_small and not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py: torch sees no NVIDIA GPU; use --cpu-small to see whether the script works")
    asked.out.mkdir(parents=True, exist_ok=True)

    bench = texprior.load(HERE / "reference.yaml", *(SMALL if asked.cpu_small else ()), quiet=True)
    found: dict[str, Any] = {"machine": machine()}
    for stage, precision, rate in rates(bench, asked.cpu_small):
        found[f"{stage}, {precision}"] = rate
        print(f"{stage}, {precision}: {json.dumps(rate)}", flush=True)
        (asked.out / "rates.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    prior, model = train(bench)
    found["restored"] = bench.evaluate(model, "val").means()
    (asked.out / "rates.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    copy_weights(prior, asked.out / "prior")
    copy_weights(model, asked.out / "model")
    texprior.load_model(asked.out / "model", asked.out / "prior")  # raises if the copies are no whole model


def machine() -> dict[str, str]:
    """Returns what the figures were measured on."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {
        "device": device,
        "torch": torch.__version__,
        "texprior": texprior.__version__,
        "cores": str(os.cpu_count()),
    }


def rates(bench: texprior.Workbench, small: bool) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yields patches per second and the share of time that waits for data, by stage and precision.

    Without bfloat16 on the device both precisions would be float32, so that only float32 is measured.
    """
    for precision in ("float32", "bfloat16"):
        wanted = precision == "bfloat16"
        changes: dict[str, Any] = {f"training.{stage}.amp": wanted for stage in STAGES}
        changes |= {f"training.{stage}.budget": {"images": 2**60} for stage in STAGES}
        changes |= {f"training.{stage}.checkpoint_every_s": 1e9 for stage in STAGES}
        at = Session.start(with_overrides(bench.experiment, changes, bench.registry), bench.registry)
        with autocast(at.device, wanted):
            halved = torch.is_autocast_enabled(at.device.type)
        if wanted and not halved:
            print(f"{at.device} computes no bfloat16: only float32 is measured", flush=True)
            return
        for case in cases(at, amp=wanted):
            yield case.stage, precision, rate_of(case, at.device, 2 if small else TIMED)


def rate_of(case: Case, device: torch.device, timed: int) -> dict[str, float]:
    """Times steps of one training, and inside them the cutting of patches."""
    waits: list[float] = []
    case.patches.batch = _timed(case.patches.batch, waits)
    events = steps_of(case.trainee, case.loss)
    for _ in range(WARM_UP if timed == TIMED else 1):
        next(events)
    waits.clear()
    started = device_time(device)
    for _ in range(timed):
        next(events)
    elapsed = device_time(device) - started
    patches = timed * case.trainee.settings.batch
    return {"patches_per_s": round(patches / elapsed, 1), "data_wait": round(sum(waits) / elapsed, 4)}


def _timed(cut: Callable[[Sequence[int]], dict[str, Tensor]], waits: list[float]) -> Callable[..., dict[str, Tensor]]:
    def wrapper(numbers: Sequence[int]) -> dict[str, Tensor]:
        started = time.perf_counter()
        batch = cut(numbers)
        waits.append(time.perf_counter() - started)
        return batch

    return wrapper


def train(bench: texprior.Workbench) -> tuple[Path, Path]:
    """Trains prior, predictor and adapter; returns the folders of the prior and of the model."""
    started = time.monotonic()
    prior = bench.prior()
    model = bench.adapt(prior)
    print(f"trained in {time.monotonic() - started:.0f} s", flush=True)
    return prior, model


def copy_weights(source: Path, target: Path) -> None:
    """Copies the files of a trained folder that it is loaded from."""
    target.mkdir(exist_ok=True)
    for file in (*source.glob("*.yaml"), *source.glob("*.safetensors")):
        if file.name != CHECKPOINT:
            shutil.copy(file, target)


if __name__ == "__main__":
    main()
