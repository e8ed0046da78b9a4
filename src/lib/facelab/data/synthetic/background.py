"""What is behind a synthetic face: colours that run, blotches, and hard-edged shapes."""

import torch
from torch import Tensor
from torch.nn import functional as F


def random_background(size: int, generator: torch.Generator) -> Tensor:
    """One picture ``(3, size, size)`` float32 in [0, 1] without a face in it."""
    picture = _gradient(size, generator)
    for cells, share in ((3, 0.5), (9, 0.35), (28, 0.2)):
        if _chance(0.6, generator):
            noise = 0.7 * torch.rand(1, 1, cells, cells, generator=generator)
            noise = noise + 0.3 * torch.rand(1, 3, cells, cells, generator=generator)
            spread = F.interpolate(noise, (size, size), mode="bilinear", align_corners=True)[0]
            picture = picture + share * (spread - 0.5)
    for _ in range(int(torch.randint(0, 7, (), generator=generator))):
        picture = _add_shape(picture, generator)
    return picture.clamp(0, 1)


def _chance(probability: float, generator: torch.Generator) -> bool:
    return bool(torch.rand((), generator=generator) < probability)


def _gradient(size: int, generator: torch.Generator) -> Tensor:
    grey, tint = torch.rand(2, 1, generator=generator), torch.rand(2, 3, generator=generator)
    colours = 0.65 * grey + 0.35 * tint  # (2, 3): the colours at the two ends, seldom garish
    angle = 6.2832 * torch.rand((), generator=generator)
    axis = torch.linspace(-0.5, 0.5, size)
    ramp = (axis[None] * angle.cos() + axis[:, None] * angle.sin() + 0.5).clamp(0, 1)
    return colours[0, :, None, None] * (1 - ramp) + colours[1, :, None, None] * ramp


def _add_shape(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Lays one flat ellipse or bar at a random angle over the picture."""
    size = picture.shape[1]
    x, y, angle, long, wide, square, opacity = torch.rand(7, generator=generator).unbind()
    axis = torch.linspace(0, 1, size)
    dx, dy = axis[None] - x, axis[:, None] - y
    cos, sin = (6.2832 * angle).cos(), (6.2832 * angle).sin()
    along, across = (
        (dx * cos + dy * sin).abs() / (0.05 + 0.6 * long),
        (dy * cos - dx * sin).abs() / (0.02 + 0.25 * wide),
    )
    inside = torch.maximum(along, across) < 1 if square < 0.5 else along.square() + across.square() < 1
    colour = 0.6 * torch.rand(1, 1, 1, generator=generator) + 0.4 * torch.rand(3, 1, 1, generator=generator)
    return torch.where(inside, picture + (0.4 + 0.6 * opacity) * (colour - picture), picture)
