"""Data-parallel training past one process: torch.distributed, launched by torchrun.

Each process takes its share of every batch; gradients, losses and the wish to stop are summed in one reduction a step,
so that all processes take the same steps and stop after the same one. The first process alone writes and tells.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from texprior.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Team:
    """The processes that train together; one process is a team of its own."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and tells observers."""
        return self.rank == 0

    def share(self, numbers: Sequence[int]) -> Sequence[int]:
        """This process's part of a batch's sample numbers: every size-th, from rank on."""
        return numbers[self.rank :: self.size]

    def require(self, what: str, batch: int) -> None:
        """Raises ConfigError where a batch cannot be shared out evenly."""
        if batch % self.size:
            raise ConfigError(f"{what}: {batch} images do not divide among {self.size} processes")

    def total(self, parameters: Sequence[nn.Parameter], *numbers: float) -> list[float]:
        """Sums the gradients and further numbers over all processes; gradients in place, absent ones count as 0."""
        if self.size == 1:
            return list(numbers)
        import torch

        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in parameters if p.grad is not None]
        device = gradients[0].device if gradients else torch.device("cpu")
        flat = torch.cat([*(g.float().flatten() for g in gradients), torch.tensor(numbers, device=device)])
        torch.distributed.all_reduce(flat)
        sums = torch.split(flat, [*(g.numel() for g in gradients), len(numbers)])
        for gradient, summed in zip(gradients, sums[:-1], strict=True):
            gradient.copy_(summed.view_as(gradient))
        return [float(n) for n in sums[-1]]

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            import torch

            torch.distributed.barrier()


ALONE = Team()


def is_launched() -> bool:
    """Whether torchrun started this process beside others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def join_team(device: torch.device) -> Team:
    """This process's team, from what torchrun set: NCCL between GPUs, gloo between CPUs."""
    if not is_launched():
        return Team()
    import torch.distributed as dist

    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Team(dist.get_rank(), dist.get_world_size())


def leave_team() -> None:
    """Ends the team, so that torchrun sees every process end by itself."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def own_device(name: str) -> str:
    """The device of this process: each process of a machine takes a GPU of its own where GPUs are used."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if name == "cuda" and is_launched() else name
