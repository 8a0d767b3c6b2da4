"""Shares a training among several processes, which torchrun starts and torch.distributed connects.

Each process takes its share of every batch. One reduction per step sums gradients, losses and requests to stop. All
processes therefore take the same steps and stop after the same one. Only the first process, the leader, reads
checkpoints, writes files and reports. What it finds on its disk counts for all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from texprior.errors import ConfigError, TexpriorError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Json = TypeVar("Json")


@dataclass(frozen=True)
class Team:
    """The processes that train together, seen from one of them.

    A single process is a team of size 1.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and calls observers."""
        return self.rank == 0

    def share(self, numbers: Sequence[int], turns: int = 1) -> Sequence[int]:
        """Returns this process's part of a batch's sample numbers; every process gets equally many.

        Where ``turns`` is 1, it is every ``size``-th number, starting at ``rank``. Otherwise the numbers that are equal
        modulo ``turns`` are cut from one photograph. They go to one process as far as equal parts allow, which then
        prepares that photograph alone.
        """
        if turns == 1:
            return numbers[self.rank :: self.size]
        each, left = len(numbers) // self.size, list[int]()
        parts: list[list[int]] = [[] for _ in range(self.size)]
        # by photograph, so that what is too much for a process comes from few photographs
        for number in sorted(numbers, key=lambda n: (n % turns, n)):
            part = parts[number % turns % self.size]
            (part if len(part) < each else left).append(number)
        for part in parts:
            missing = each - len(part)
            part += left[:missing]
            del left[:missing]
        return sorted(parts[self.rank])

    def require(self, what: str, batch: int) -> None:
        """Raises ConfigError if the number of processes does not divide the batch."""
        if batch % self.size:
            raise ConfigError(
                f"{what}: {batch} images cannot be divided evenly among {self.size} processes; "
                f"use a multiple of {self.size}"
            )

    def total(self, parameters: Sequence[nn.Parameter], *numbers: float) -> list[float]:
        """Sums the gradients, in place, and further numbers over all processes; returns the numbers.

        A gradient that is None counts as 0.
        """
        if self.size == 1:
            return list(numbers)
        import torch

        # Every process must reduce a tensor of the same length, even if a parameter took no part in its share.
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in parameters if p.grad is not None]
        device = gradients[0].device if gradients else torch.device("cpu")
        # One flat tensor, so that the request to stop always travels with the gradients of the same step (ADR 7). It is
        # float32, so that gradients of a lower precision do not lose bits in the sum.
        flat = torch.cat([*(g.float().flatten() for g in gradients), torch.tensor(numbers, device=device)])
        torch.distributed.all_reduce(flat)
        sums = torch.split(flat, [*(g.numel() for g in gradients), len(numbers)])
        for gradient, summed in zip(gradients, sums[:-1], strict=True):
            gradient.copy_(summed.view_as(gradient))
        return [float(n) for n in sums[-1]]

    def from_leader(self, value: Json) -> Json:
        """Returns the leader's value in every process.

        The value must be of JSON's types. What the other processes pass does not matter.
        """
        if self.size == 1:
            return value
        import torch

        # As JSON, because torch's own broadcast of objects reads pickle. The length comes first: the others need a
        # buffer of the right size.
        content, device = json.dumps(value).encode() if self.leads else b"", _device()
        length = torch.tensor([len(content)], device=device)
        torch.distributed.broadcast(length, 0)
        buffer = torch.tensor(list(content) if self.leads else [0] * int(length), dtype=torch.uint8, device=device)
        torch.distributed.broadcast(buffer, 0)
        received: Json = json.loads(bytes(buffer.tolist()))
        return received

    def from_all(self, content: bytes) -> list[bytes]:
        """Returns what each process passes, by rank, in every process."""
        if self.size == 1:
            return [content]
        import torch

        # The lengths come first. All parts must have the same, so shorter ones are padded.
        lengths = [torch.zeros(1, dtype=torch.int64, device=_device()) for _ in range(self.size)]
        torch.distributed.all_gather(lengths, torch.tensor([len(content)], device=_device()))
        longest = max(1, *(int(length) for length in lengths))
        own = torch.frombuffer(bytearray(content.ljust(longest, b"\0")), dtype=torch.uint8).to(_device())
        parts = [torch.empty_like(own) for _ in range(self.size)]
        torch.distributed.all_gather(parts, own)
        return [part[: int(n)].cpu().numpy().tobytes() for part, n in zip(parts, lengths, strict=True)]

    def copy_from_leader(self, tensors: Iterable[Tensor]) -> None:
        """Overwrites tensors, in place, with those of the leader.

        Every process must pass the same shapes in the same order.
        """
        if self.size == 1:
            return
        import torch

        for tensor in (t for t in tensors if t.numel()):
            # As bytes on the team's device: every type can be sent, and AdamW's step counts stay on the CPU.
            sent = tensor.detach().to(_device()).clone(memory_format=torch.contiguous_format)
            torch.distributed.broadcast(sent.flatten().view(torch.uint8), 0)
            if not self.leads:
                tensor.detach().copy_(sent)

    def require_same(self, what: str, value: str) -> None:
        """Raises TexpriorError in a process whose value differs from the leader's."""
        if self.from_leader(value) != value:
            raise TexpriorError(
                f"{what} differs between the processes that torchrun started; give all machines the same experiment, "
                "data, plugins and folder of runs"
            )

    def wait(self) -> None:
        """Blocks until every process of the team has called this."""
        if self.size > 1:
            import torch

            torch.distributed.barrier()


ALONE = Team()


def is_launched() -> bool:
    """Whether torchrun started this process together with others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def join_team(device: torch.device) -> Team:
    """Returns this process's team, from the variables that torchrun set.

    GPUs communicate by NCCL, CPUs by gloo.
    """
    if not is_launched():
        return Team()
    import torch.distributed as dist

    if not dist.is_initialized():
        if device.type == "cuda":
            # NCCL uses the current device. Without this, every process of a machine would use its first GPU.
            import torch

            torch.cuda.set_device(device)
            dist.init_process_group("nccl", device_id=device)
        else:
            dist.init_process_group("gloo")
    return Team(dist.get_rank(), dist.get_world_size())


def _device() -> torch.device:
    """Returns the device of the tensors that the team's backend can send."""
    import torch

    on_gpu = torch.distributed.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


def leave_team() -> None:
    """Leaves the process group, so that torchrun sees every process end normally."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def own_device(name: str) -> str:
    """Returns the device of this process.

    If GPUs are used, each process of a machine gets its own.
    """
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if name == "cuda" and is_launched() else name
