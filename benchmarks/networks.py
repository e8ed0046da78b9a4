"""FAN and MobileNet: as they are in the default memory format ("plain"), and as this package runs them.

MobileNet is also held against its layers alone, one after the other ("bare layers"), which nobody's network undercuts.
"""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.measuring import Line, Settings, medians
from facelab.losses import stacked_heatmap_l2
from facelab.models import FAN, MobileNetV1, for_inference, for_training

MOBILENET_SIDE = 120


def report(settings: Settings) -> Iterator[Line]:
    """Lines on forward passes and training steps of FAN, then on forward passes of MobileNet."""
    for stacks in settings.stacks:
        name = f"FAN, {stacks} stack{'s' if stacks > 1 else ''}, {settings.side} px"
        network = settled(_fan(stacks, settings), settings.side)
        for batch in settings.batches:
            yield _forward(f"{name}, forward, batch {batch}", network, _pictures(batch, settings.side), settings)
    for stacks in settings.stacks:
        yield _training_step(stacks, settings)
    for width in settings.mobilenets:
        network = settled(MobileNetV1(width), MOBILENET_SIDE)
        for batch in settings.batches:
            name = f"MobileNet x {width}, {MOBILENET_SIDE} px, batch {batch}"
            yield from _mobilenet(name, network, _pictures(batch, MOBILENET_SIDE), settings)


def _fan(stacks: int, settings: Settings) -> nn.Module:
    torch.manual_seed(0)
    return FAN(stacks=stacks, width=settings.width)


def settled(network: nn.Module, side: int) -> nn.Module:
    """The network in evaluation mode, with statistics in its BN under which signals keep their size.

    Untrained ones let them die out, and then any two outputs agree.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(_pictures(4, side))
    return network.eval()


def _pictures(batch: int, side: int) -> Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0))


def _forward(name: str, network: nn.Module, pictures: Tensor, settings: Settings) -> Line:
    plain, pictures = network.to(settings.device), pictures.to(settings.device)
    fast = for_inference(plain)
    with torch.inference_mode():
        taken = medians({"plain": lambda: plain(pictures), "ours": lambda: fast(pictures)}, settings)
        difference = _largest_difference(plain(pictures), fast(pictures))
    note = f"difference {difference:.0e}"
    return Line(name, taken["ours"], f"plain {taken['plain']:.1f} ms", taken["ours"] / taken["plain"], note=note)


def _mobilenet(name: str, network: nn.Module, pictures: Tensor, settings: Settings) -> Iterator[Line]:
    eager, pictures = network.to(settings.device), pictures.to(settings.device)
    bare, folded = bare_layers(eager), for_inference(eager)
    with torch.inference_mode():
        runs = {"bare": lambda: bare(pictures), "eager": lambda: eager(pictures), "folded": lambda: folded(pictures)}
        taken = medians(runs, settings)
        differences = {kind: _largest_difference(bare(pictures), runs[kind]()) for kind in ("eager", "folded")}
    for kind, difference in differences.items():
        against, ratio = f"bare layers {taken['bare']:.1f} ms", taken[kind] / taken["bare"]
        yield Line(f"{name}, {kind}", taken[kind], against, ratio, note=f"difference {difference:.0e}")


def bare_layers(network: nn.Module) -> nn.Sequential:
    """New layers like those of MobileNet-V1 in evaluation mode, with its weights, in one sequence and nothing else."""
    layers: list[nn.Module] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            shape = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
            layers += [
                nn.Conv2d(*shape, groups=layer.groups, bias=False),
                nn.BatchNorm2d(layer.out_channels),
                nn.ReLU(),
            ]
        elif isinstance(layer, nn.Linear):
            layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(layer.in_features, layer.out_features)]
    bare = nn.Sequential(*layers).to(next(network.parameters()).device)
    values = network.state_dict().values()
    bare.load_state_dict(dict(zip(bare.state_dict(), values, strict=True)))
    return bare.eval()


def _largest_difference(expected: Tensor | list[Tensor], got: Tensor | list[Tensor]) -> float:
    if isinstance(expected, Tensor):
        expected, got = [expected], [got]  # type: ignore[list-item]
    return max(float((a - b).abs().max()) for a, b in zip(expected, got, strict=True))


def _training_step(stacks: int, settings: Settings) -> Line:
    plain = _fan(stacks, settings).to(settings.device)
    ours = for_training(copy.deepcopy(plain))
    pictures = _pictures(settings.step_batch, settings.side).to(settings.device)
    steps = {
        "plain": _step(plain, pictures),
        "ours": _step(ours, pictures.contiguous(memory_format=torch.channels_last)),
    }
    taken = medians(steps, settings)
    name = f"FAN, {stacks} stack{'s' if stacks > 1 else ''}, {settings.side} px, training step, batch {len(pictures)}"
    return Line(name, taken["ours"], f"plain {taken['plain']:.1f} ms", taken["ours"] / taken["plain"])


def _step(network: nn.Module, pictures: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.RMSprop(network.train().parameters(), lr=1e-4)
    quarter = pictures.shape[2] // 4
    target = torch.zeros(len(pictures), 68, quarter, quarter, device=pictures.device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        stacked_heatmap_l2(network(pictures), target).backward()
        optimizer.step()

    return step
