"""The processes that train together: one, or those that ``torchrun`` started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import PrefixStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from facelab.training.device import pick_device

_kept: list[Any] = []


@dataclass(frozen=True)
class World:
    """This process among its peers.

    Attributes:
        rank: its number, from 0. size: how many there are. device: where it computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def writes(self) -> bool:
        """Whether files and messages are this process's part: one of them writes."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The network, with gradients averaged over the processes if there are several."""
        if self.size == 1:
            return model
        return DistributedDataParallel(model, device_ids=[self.device] if self.device.type == "cuda" else None)

    @contextmanager
    def first(self) -> Iterator[None]:
        """The first process does what stands inside before the others: they find in the cache what it wrote."""
        if self.size > 1 and not self.writes:
            dist.barrier()
        try:
            yield
        finally:
            if self.size > 1 and self.writes:
                dist.barrier()

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def agree(self, numbers: Tensor, asked: bool) -> Tensor:
        """``(3,)`` loss, norm of the gradient, and how many processes were asked to stop, the same for all of them.

        Args:
            numbers: ``(2,)`` loss of this process's samples, and the norm, which is already the same for all.
        """
        joint = torch.cat([numbers.double(), numbers.new_tensor([float(asked)]).double()])
        return joint if self.size == 1 else self.sum(joint) / joint.new_tensor([self.size, self.size, 1])

    def mean_of_samples(self, values: Tensor) -> float:
        """The mean over the samples ``(n,)`` of all processes, which may hold unequal numbers of them."""
        total = self.sum(torch.stack([values.double().sum(), values.new_tensor(len(values)).double()]).to(self.device))
        return float(total[0] / total[1])


@contextmanager
def joined(device: str = "auto") -> Iterator[World]:
    """Joins the processes of ``torchrun``: nccl between CUDA devices, one each, gloo between CPUs. Alone without it.

    Raises:
        ValueError: for a device that this machine has not.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield World(0, 1, pick_device(device))
        return
    if device in ("auto", "cuda") and torch.cuda.is_available():
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    own = pick_device(device)
    if own.type == "cuda":
        torch.cuda.set_device(own)
    _meet("nccl" if own.type == "cuda" else "gloo")
    # A network wrapped by DistributedDataParallel outlives this context. Were it the last to hold the group, it would
    # end gloo's thread while it keeps the interpreter's lock, for which that thread may be waiting.
    _kept.append(dist.group.WORLD)
    try:
        yield World(dist.get_rank(), dist.get_world_size(), own)
    finally:
        dist.destroy_process_group()


def _meet(backend: str) -> None:
    """Connects the processes.

    When torchrun starts them again after a failure, the addresses of the dead are still in the store that its agent
    keeps. On one machine the number of the attempt keeps them apart. Machines count their attempts separately; there
    ``TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1`` gives each attempt a store of its own.
    """
    if os.environ.get("LOCAL_WORLD_SIZE") != os.environ["WORLD_SIZE"]:
        dist.init_process_group(backend)
        return
    store, rank, size = next(rendezvous("env://"))
    attempt = f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    dist.init_process_group(backend, store=PrefixStore(attempt, store), rank=rank, world_size=size)
