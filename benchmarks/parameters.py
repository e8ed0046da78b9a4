"""The losses of the 62 parameters on a mesh of the size of the Basel Face Model."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks import faces
from benchmarks.measuring import Line, Settings, medians
from facelab.face3d import MorphableModel, ParameterStatistics
from facelab.face3d.parameters import compose, pack, unpack
from facelab.losses import ShapeGram, fwpdc, vdc, vdc_of_vertices, wpdc

VDC_BATCHES = (8, 32)
WPDC_BATCH = 128


def report(settings: Settings) -> Iterator[Line]:
    """Lines on VDC beside two forms with all vertices, then on fWPDC beside WPDC; forward and backward."""
    model = faces.basel_like(faces.BASEL_VERTICES).to(settings.device)
    gram = ShapeGram.of(model)
    targets = random_parameters(model, 1024).float().to(settings.device)
    statistics = ParameterStatistics.fit(targets)
    predicted = targets + 0.3 * statistics.std * torch.randn_like(targets)
    size = f"{model.mean.shape[1]:,d} vertices"
    bases = _interleaved(model)
    for batch in VDC_BATCHES:
        losses = {
            "ours": lambda p, g: vdc(p, g, gram),
            "all vertices": lambda p, g: vdc_of_vertices(p, g, model),
            "3DDFA's form": lambda p, g: _vdc_of_3ddfa(p, g, *bases),
        }
        yield from _lines(f"VDC, {size}, batch {batch}", losses, predicted[:batch], targets[:batch], settings)
    losses = {
        "ours": lambda p, g: fwpdc(p, g, gram, statistics),
        "WPDC": lambda p, g: wpdc(p, g, model, statistics),
    }
    many = slice(WPDC_BATCH)
    yield from _lines(f"fWPDC, {size}, batch {WPDC_BATCH}", losses, predicted[many], targets[many], settings)


def random_parameters(model: MorphableModel, count: int, seed: int = 0) -> Tensor:
    """Parameters ``(count, 62)`` in double precision of random faces that fill about 70 of 120 pixels.

    The cameras are exact scaled rotations.
    """
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    identity, expression = (part.cpu().double() for part in model.sample(count, generator))
    scale = 20 / float(model.mean.std()) * (1 + 0.1 * noise(count))
    return pack(compose(scale, 0.4 * noise(count, 3), 60 + 5 * noise(count, 3)), identity, expression)


def _lines(
    name: str,
    losses: dict[str, Callable[[Tensor, Tensor], Tensor]],
    predicted: Tensor,
    target: Tensor,
    settings: Settings,
) -> Iterator[Line]:
    """Ours beside each of the others, and how far apart value and gradient are."""
    leaf = predicted.clone().requires_grad_()
    taken = medians({key: lambda loss=loss: _gradient(loss, leaf, target) for key, loss in losses.items()}, settings)
    value, gradient = _gradient(losses["ours"], leaf, target)
    for key in [other for other in losses if other != "ours"]:
        other_value, other_gradient = _gradient(losses[key], leaf, target)
        apart = max(
            float((value - other_value).abs() / other_value),
            float((gradient - other_gradient).norm() / other_gradient.norm()),
        )
        against = f"{key}, {taken[key]:.1f} ms"
        yield Line(name, taken["ours"], against, taken["ours"] / taken[key], note=f"difference {apart:.0e}")


def _gradient(loss: Callable[[Tensor, Tensor], Tensor], predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    value = loss(predicted, target)
    (gradient,) = torch.autograd.grad(value, predicted)
    return value.detach(), gradient


def _interleaved(model: MorphableModel) -> list[Tensor]:
    """Mean ``(3 V, 1)`` and bases ``(3 V, K)``, the coordinates of a vertex one after the other, as 3DDFA has it."""
    parts = (model.mean[None], model.identity, model.expression)
    return [part.permute(2, 1, 0).flatten(0, 1).contiguous() for part in parts]


def _vdc_of_3ddfa(predicted: Tensor, target: Tensor, mean: Tensor, identity: Tensor, expression: Tensor) -> Tensor:
    """A product with the basis for each face, and the coordinates of a vertex one after the other."""

    def vertices(parameters: Tensor) -> Tensor:
        camera, alpha, beta = unpack(parameters)
        shape = mean + identity @ alpha[:, :, None] + expression @ beta[:, :, None]
        return camera[:, :, :3] @ shape.reshape(len(parameters), -1, 3).transpose(1, 2) + camera[:, :, 3:]

    depth = torch.zeros_like(predicted)
    depth[:, 11] = (target - predicted.detach())[:, 11]
    return (vertices(predicted + depth) - vertices(target)).square().sum(1).mean()
