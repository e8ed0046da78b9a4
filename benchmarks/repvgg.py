"""RepVGG and CLN: in the form that is trained, and deployed, where every block is one convolution.

Both are in evaluation mode. Where timm is installed, its RepVGG of the same size is re-parametrised by its own function
and timed beside ours.
"""

import importlib
from collections.abc import Iterator
from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.measuring import Line, Settings, medians
from benchmarks.networks import settled
from facelab.models import CLN
from facelab.models.repvgg import REPVGG_TRUNKS, deployed


def report(settings: Settings) -> Iterator[Line | str]:
    """Lines on forward passes of the trunk, then of CLN, then of the trunk beside timm's."""
    name, side = settings.repvgg, settings.repvgg_side
    torch.manual_seed(0)
    networks = {f"RepVGG {name}": REPVGG_TRUNKS[name](), f"CLN, {name}": CLN(name)}
    for title, network in networks.items():
        settled(network, side).to(settings.device)
        for batch in settings.batches:
            yield _deployed(
                f"{title}, {side} px, deployed, batch {batch}", network, _pictures(batch, settings), settings
            )
    timm = peer()
    if timm is None:
        yield "  timm's RepVGG left out: timm is not installed (pip install timm)"
    elif name == "a0":  # the others have no counterpart there
        yield from _beside_timm(timm, networks[f"RepVGG {name}"], settings)


def peer() -> ModuleType | None:
    """timm, if somebody installed it."""
    try:
        return importlib.import_module("timm")
    except ImportError:
        return None


def _pictures(batch: int, settings: Settings) -> Tensor:
    side = settings.repvgg_side
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0)).to(settings.device)


def _deployed(name: str, network: nn.Module, pictures: Tensor, settings: Settings) -> Line:
    """With the largest difference of the outputs, as a share of the largest output."""
    fast = deployed(network)
    with torch.inference_mode():
        taken = medians({"trained": lambda: network(pictures), "deployed": lambda: fast(pictures)}, settings)
        expected, got = _first(network(pictures)), _first(fast(pictures))
    difference = float((expected - got).abs().max() / expected.abs().max())
    against = f"the training form, {taken['trained']:.1f} ms"
    ratio = taken["deployed"] / taken["trained"]
    return Line(name, taken["deployed"], against, ratio, note=f"difference {difference:.0e}")


def _first(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def _beside_timm(timm: ModuleType, network: nn.Module, settings: Settings) -> Iterator[Line]:
    theirs = timm.create_model("repvgg_a0", num_classes=0, global_pool="").eval().to(settings.device)
    theirs, ours = timm.utils.reparameterize_model(theirs), deployed(network)
    for batch in settings.batches:
        pictures = _pictures(batch, settings)
        with torch.inference_mode():
            taken = medians({"ours": lambda: ours(pictures), "theirs": lambda: theirs(pictures)}, settings)  # noqa: B023
        name = f"RepVGG a0, {settings.repvgg_side} px, deployed, batch {batch}"
        against = f"timm {timm.__version__}'s, {taken['theirs']:.1f} ms"
        yield Line(name, taken["ours"], against, taken["ours"] / taken["theirs"])
