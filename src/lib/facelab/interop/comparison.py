"""Two networks that should be one: which layer is the first to differ."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf, isnan
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from facelab.interop.fan import fan_depth_names, fan_names
from facelab.models import FAN, FANDepth


@dataclass(frozen=True)
class Step:
    """What entered or left one layer of both networks.

    ``difference`` is the largest absolute difference, infinite if the shapes are not the same or theirs never came to
    this layer; ``scale`` the largest absolute value of ours.
    """

    ours: str
    theirs: str
    place: str
    difference: float
    scale: float

    @property
    def relative(self) -> float:
        if self.difference in (0, inf):
            return self.difference
        return self.difference / self.scale if self.scale else inf


@dataclass(frozen=True)
class Comparison:
    """Of two networks, layer by layer.

    ``layer`` is the name of our first layer that does something else than theirs; None if there is none. ``reason``
    says in a sentence how this is known. ``steps`` are all numbers compared, in the order in which ours ran.
    """

    layer: str | None
    reason: str
    steps: tuple[Step, ...]

    def table(self, count: int = 10) -> str:
        """The largest relative differences, largest first, as lines of text."""
        largest = sorted(self.steps, key=lambda step: -step.relative)[:count]
        rows = [("ours", "theirs", "place", "difference", "relative")]
        rows += [
            (
                step.ours or "network",
                step.theirs or "network",
                step.place,
                f"{step.difference:.2e}",
                f"{step.relative:.2e}",
            )
            for step in largest
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)


def first_difference(
    theirs: nn.Module,
    ours: nn.Module,
    inputs: Tensor,
    names: Mapping[str, str] | None = None,
    tolerance: float = 1e-4,
) -> Comparison:
    """Runs both networks on the same inputs and compares what enters and leaves each pair of layers.

    Layers are gone through in the order in which ours run. If a layer is given the same and gives something else, it
    is the one. If it is given something else, although all before agreed, then it is what ran between: a layer of
    ours that theirs has no module for, such as a pool. If nothing ran between, the networks treat their input
    differently before this layer: another order of channels, another scale, a shift.

    Args:
        theirs, ours: networks in evaluation mode, on one device.
        inputs: given to both.
        names: our name to their name of each layer to compare; ``""`` is the whole network. Without it, the names of
            :func:`fan_names` and :func:`fan_depth_names`.
        tolerance: largest difference that counts as none, in units of the largest absolute value of the layer.
    Raises:
        ValueError: on a network in training mode, or a name that a network does not have.
    """
    pairs = _names_of(ours) if names is None else dict(names)
    _check("ours", ours, pairs.keys())
    _check("theirs", theirs, pairs.values())
    recorded: dict[tuple[str, str], deque[list[Tensor]]] = defaultdict(deque)
    events: list[Step | str] = []  # a string is a layer of ours that theirs has no module for

    def record(name: str, place: str, value: Any) -> None:
        if name in their_names:  # a copy, since a later layer may work in place
            recorded[name, place].append([tensor.clone() for tensor in _flat(value)])

    def compare(name: str, place: str, value: Any) -> None:
        if name in pairs:
            waiting = recorded[pairs[name], place]
            events.append(_step(name, pairs[name], place, _flat(value), waiting.popleft() if waiting else None))
        elif place == "output" and name in working:
            events.append(name)

    their_names = set(pairs.values())
    working = {name for name, module in ours.named_modules() if not isinstance(module, nn.Sequential)}
    _run(theirs, inputs, record)
    _run(ours, inputs, compare)
    return _judged(events, tolerance)


def _names_of(network: nn.Module) -> dict[str, str]:
    if isinstance(network, FAN):
        return fan_names(network)
    if isinstance(network, FANDepth):
        return fan_depth_names(network)
    raise ValueError(f"names: expected our and their name of each layer to compare for a {type(network).__name__}")


def _check(which: str, network: nn.Module, names: Iterable[str]) -> None:
    if network.training:
        raise ValueError(f"{which}: expected a network in evaluation mode; call eval() on it first")
    modules = dict(network.named_modules())
    for name in names:
        if name not in modules:
            raise ValueError(f"names: {which} has no layer {name!r}")


def _run(network: nn.Module, inputs: Tensor, see: Callable[[str, str, Any], None]) -> None:
    """Calls ``see(name, "input" or "output", value)`` for each module, whenever it is entered or left."""

    def watch(name: str, module: nn.Module) -> Iterator[RemovableHandle]:
        yield module.register_forward_pre_hook(lambda _, arguments: see(name, "input", arguments))
        yield module.register_forward_hook(lambda _, arguments, output: see(name, "output", output))

    handles = [handle for name, module in network.named_modules() for handle in watch(name, module)]
    try:
        with torch.inference_mode():
            network(inputs.clone())
    finally:
        for handle in handles:
            handle.remove()


def _flat(value: Any) -> list[Tensor]:
    """The tensors in lists and tuples, in their order."""
    if isinstance(value, Tensor):
        return [value]
    return [tensor for item in value for tensor in _flat(item)] if isinstance(value, list | tuple) else []


def _step(ours: str, theirs: str, place: str, mine: list[Tensor], other: list[Tensor] | None) -> Step:
    scale = max((float(tensor.abs().max()) for tensor in mine if tensor.numel()), default=0.0)
    if other is None or [tensor.shape for tensor in mine] != [tensor.shape for tensor in other]:
        return Step(ours, theirs, place, inf, scale)
    differences = (float((a - b).abs().max()) for a, b in zip(mine, other, strict=True) if a.numel())
    difference = max((inf if isnan(each) else each for each in differences), default=0.0)
    return Step(ours, theirs, place, difference, scale)


def _judged(events: list[Step | str], tolerance: float) -> Comparison:
    steps = tuple(event for event in events if isinstance(event, Step))
    unpaired: list[str] = []
    for event in events:
        if isinstance(event, str):
            unpaired.append(event)
        elif event.relative <= tolerance:
            unpaired = []
        else:
            return Comparison(*_blamed(event, unpaired), steps)
    return Comparison(None, f"all layers agree to {tolerance:g} of their largest value", steps)


def _blamed(step: Step, unpaired: list[str]) -> tuple[str, str]:
    """Our layer where the first difference comes from, and how that is known."""
    pair = f"{step.ours or 'the network'} (theirs: {step.theirs or 'the network'})"
    by = f"by {step.difference:.2e}, {step.relative:.2e} of the largest value"
    if step.place == "output":
        return step.ours, f"{pair} gives something else, {by}, though its input and the layers in it agree"
    if unpaired:
        between = " or ".join(unpaired)
        return unpaired[-1], f"{between}, for which theirs has no module: {pair} is given something else after it, {by}"
    return step.ours, f"{pair} is given something else, {by}, though no layer ran since all agreed"
