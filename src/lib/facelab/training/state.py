"""Everything that changes while a network is trained."""

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from facelab.training.ema import Ema
from facelab.training.plan import Training
from facelab.training.precision import Precision

Entry = dict[str, Any]  # numbers by name; a list of them where there are several in an epoch


@dataclass
class State:
    """A run between two steps.

    What is random depends on the seed and the step alone (:func:`facelab.training.order.generator_for`), and so does
    the order of the samples; the schedule depends on the step. So seed and step stand for all three.

    Attributes:
        model, optimizer, scaler: what learns. ema: the running mean of the weights, if there is one.
        seed: of weights, order and random changes. step: steps done. pieces: into how many each part is cut for want
            of memory. sums: of loss, norm and seconds over the steps of the epoch so far. history: an entry an epoch.
        best: the weights of the epoch that was selected so far.
        rival: the second branch of meta-joint optimisation, with a model, an optimiser and a scaler of its own.
        kept: the branches, 0 or 1, that were chosen in the epoch so far.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: GradScaler
    ema: Ema | None
    seed: int
    step: int = 0
    pieces: int = 1
    sums: Entry = field(default_factory=dict)
    history: list[Entry] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    rival: "State | None" = None
    kept: list[int] = field(default_factory=list)

    @staticmethod
    def start(model: nn.Module, plan: Training, precision: Precision, seed: int, rival: bool = False) -> "State":
        """Before the first step; moves the model to the device. With a rival there is a second branch, equal so far."""
        second = State.start(copy.deepcopy(model), plan, precision, seed) if rival else None
        model.to(precision.device)
        if plan.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = plan.optimizer.build(model.parameters())
        ema = None if plan.ema is None else Ema(model, plan.ema)
        return State(model, optimizer, precision.scaler(), ema, seed, rival=second)

    @property
    def judged(self) -> nn.Module:
        """The network that is evaluated and kept: the running mean where there is one."""
        return self.model if self.ema is None else self.ema.model

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next step."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.rival is not None:
            self.rival.set_rate(rate)

    def add(self, **numbers: float) -> None:
        """Adds to the sums of the epoch."""
        for name, number in numbers.items():
            self.sums[name] = self.sums.get(name, 0.0) + number

    def close_epoch(self, steps: int, measured: Entry, select: str | None) -> None:
        """Turns the sums of an epoch into an entry of the history; keeps the weights if they are the best so far.

        Raises:
            ValueError: if ``select`` is not among the measures.
        """
        sums, seconds = self.sums, max(self.sums["seconds"], 1e-9)
        self.history.append(
            {
                "epoch": len(self.history) + 1.0,
                "loss": sums["loss"] / steps,
                "gradient": sums["gradient"] / steps,
                "learning_rate": float(self.optimizer.param_groups[0]["lr"]),
                **measured,
                **({"kept": self.kept} if self.rival is not None else {}),
                "seconds": seconds,
                "waiting": sums["waiting"] / seconds,
            }
        )
        self.sums, self.kept = {}, []
        if select is None or not measured:
            return
        if select not in measured:
            raise ValueError(f"select: expected one of the measures {', '.join(measured)}, got {select!r}")
        if measured[select] <= min(entry[select] for entry in self.history if select in entry):
            self.best = {name: value.detach().clone() for name, value in self.judged.state_dict().items()}

    def finished(self) -> nn.Module:
        """The network that comes out: the selected epoch's weights if there are any."""
        if self.best is not None:
            self.judged.load_state_dict(self.best)
        return self.judged.eval()

    def to_save(self) -> dict[str, Any]:
        """Tensors, numbers and plain containers of them: all that a run needs to go on to the same bits."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "ema": None if self.ema is None else self.ema.model.state_dict(),
            "random": {"seed": self.seed, "step": self.step},
            "pieces": self.pieces,
            "sums": dict(self.sums),
            "history": list(self.history),
            "best": self.best,
            "kept": list(self.kept),
            "rival": None if self.rival is None else self.rival.to_save(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """The opposite of :meth:`to_save`.

        Raises:
            ValueError: if it was saved by another kind of run.
        """
        try:
            if saved["random"]["seed"] != self.seed:
                raise ValueError(f"its seed is {saved['random']['seed']}, not {self.seed}")
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.scaler.load_state_dict(saved["scaler"])
            if self.ema is not None:
                self.ema.model.load_state_dict(saved["ema"])
            self.step, self.pieces = int(saved["random"]["step"]), int(saved["pieces"])
            self.sums, self.history, self.best = dict(saved["sums"]), list(saved["history"]), saved["best"]
            if self.rival is not None:
                self.rival.restore(saved["rival"])
                self.kept = list(saved["kept"])
        except (KeyError, RuntimeError, TypeError, AttributeError) as error:
            raise ValueError(str(error).splitlines()[0]) from error
