r"""Paint in coats: how the colours of the vertices are made.

A *coat* has a place (a mask over the vertices), a colour and a strength for each scene. Coats are laid one over the
other: a vertex of colour ``a`` under a coat of colour ``c`` and strength ``s`` with mask value ``m`` becomes
``a + m s (c - a)``, per channel. Shade is a black coat. So a whole batch of looks is two small arrays, ``(B, C, 3)``
colours and strengths, and one sparse matrix of masks that belongs to the model.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facelab.face3d import MorphableModel

Array = NDArray[Any]
_PATTERN_LENGTHS = (0.5, 0.3, 0.16, 0.16, 0.09, 0.09)  # of the face's height
_FAINT = 1e-3  # mask values below this paint nothing


@dataclass(frozen=True)
class Coats:
    """Coats of paint for a batch of scenes.

    Attributes:
        places: C places, each the names of one or more masks or regions (``"region:hair"``) joined by ``*``; what a
            model does not have is left unpainted. ``"all"`` is every vertex, a leading ``!`` is the complement,
            ``"pattern:0"`` to ``"pattern:5"`` are fixed blotches, from coarse to fine.
        colour: ``(B, C, 3)``. strength: ``(B, C, 3)`` in [0, 1].
    """

    places: tuple[str, ...]
    colour: Tensor
    strength: Tensor


@lru_cache(maxsize=16)
def place_masks(model: MorphableModel, places: tuple[str, ...]) -> Tensor:
    """Masks ``(C, V)`` of these places on a model."""
    return torch.stack([_place(model, place) for place in places])


def _place(model: MorphableModel, place: str) -> Tensor:
    total = torch.ones_like(model.mean[0])
    for factor in place.split("*"):
        name = factor.removeprefix("!")
        mask = _mask(model, name)
        total = total * (1 - mask if factor.startswith("!") else mask)
    return total


def _mask(model: MorphableModel, name: str) -> Tensor:
    if name == "all":
        return torch.ones_like(model.mean[0])
    if name.startswith("pattern:"):
        return blotches(model, int(name.removeprefix("pattern:")))
    if name.startswith("region:"):
        region = name.removeprefix("region:")
        if region not in model.region_names:
            return torch.zeros_like(model.mean[0])
        return (model.region == model.region_names.index(region)).float()
    return model.masks.get(name, torch.zeros_like(model.mean[0]))


def blotches(model: MorphableModel, number: int, waves: int = 14) -> Tensor:
    """A fixed smooth pattern ``(V,)`` in [0, 1]: cosines of the mean positions, finer with the number.

    Wavelengths are shares of the height of the face, so every model gets the same look whatever its unit.
    """
    generator = torch.Generator().manual_seed(number)
    points = model.mean.T.cpu()
    face = points[model.landmarks[model.landmarks >= 0].cpu()]
    face = face if len(face) else points
    wavelength = _PATTERN_LENGTHS[number] * float(face[:, 1].max() - face[:, 1].min())
    direction = 6.2832 / wavelength * torch.nn.functional.normalize(torch.randn(3, waves, generator=generator), dim=0)
    phase = 6.2832 * torch.rand(waves, generator=generator)
    wave = torch.cos(points @ direction + phase).sum(1) * (2 / waves) ** 0.5
    return torch.sigmoid(1.6 * wave).to(model.mean.device)


@lru_cache(maxsize=16)
def _sparse_masks(model: MorphableModel, places: tuple[str, ...]) -> tuple[Array, Array, Array]:
    """Per vertex the coats that touch it, in order: row starts (V + 1,), coats (N,), values (N,)."""
    masks = place_masks(model, places).cpu().numpy().T
    vertex, coat = np.nonzero(masks > _FAINT)
    starts = np.searchsorted(vertex, np.arange(len(masks) + 1)).astype(np.int32)
    return starts, coat.astype(np.int32), masks[vertex, coat].astype(np.float32)


def lay(model: MorphableModel, coats: Coats, backend: str | None = None) -> Tensor:
    """The colours of the vertices under coats of paint.

    Args:
        model: V vertices. coats: of B scenes.
        backend: ``"numba"`` or ``"torch"``; chosen by the device of the coats if not given.
    Returns:
        ``(B, V, 3)`` float32 albedo in [0, 1].
    """
    if (backend or ("torch" if coats.colour.is_cuda else "numba")) == "torch":
        return _lay_torch(place_masks(model, coats.places).to(coats.colour), coats)
    colour, strength = (array.numpy() for array in (coats.colour.contiguous(), coats.strength.contiguous()))
    return torch.from_numpy(_lay_numba(*_sparse_masks(model, coats.places), colour, strength))


def _lay_torch(masks: Tensor, coats: Coats) -> Tensor:
    albedo = coats.colour.new_zeros(len(coats.colour), masks.shape[1], 3)
    for index, mask in enumerate(masks):
        share = torch.where(mask > _FAINT, mask, 0.0)[None, :, None] * coats.strength[:, index, None]
        albedo = albedo + share * (coats.colour[:, index, None] - albedo)
    return albedo


@numba.njit(cache=True, parallel=True)
def _lay_numba(starts: Array, coats: Array, values: Array, colour: Array, strength: Array) -> Array:
    batch, vertices = colour.shape[0], starts.shape[0] - 1
    albedo = np.zeros((batch, vertices, 3), np.float32)
    for face in numba.prange(batch):
        for vertex in range(vertices):
            red, green, blue = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for entry in range(starts[vertex], starts[vertex + 1]):
                coat, mask = coats[entry], values[entry]
                red += mask * strength[face, coat, 0] * (colour[face, coat, 0] - red)
                green += mask * strength[face, coat, 1] * (colour[face, coat, 1] - green)
                blue += mask * strength[face, coat, 2] * (colour[face, coat, 2] - blue)
            albedo[face, vertex, 0] = red
            albedo[face, vertex, 1] = green
            albedo[face, vertex, 2] = blue
    return albedo
