"""What a network is given that sees a picture and one map a landmark."""

import torch
from torch import Tensor


def with_maps(images: Tensor, maps: Tensor, sees: str = "both") -> Tensor:
    """Pictures ``(B, 3, H, W)`` and maps ``(B, L, H, W)`` as one input ``(B, 3 + L, H, W)``.

    Args:
        sees: ``"both"``; the ``"picture"`` or the ``"maps"`` alone, with zeros for what is not seen; or the picture
            with the maps of ``"another"`` face, the one before it in the batch.
    Raises:
        ValueError: for another's maps in a batch of one face.
    """
    if sees == "picture":
        maps = torch.zeros_like(maps)
    elif sees == "maps":
        images = torch.zeros_like(images)
    elif sees == "another":
        if len(images) < 2:
            raise ValueError("guide 'another': expected a batch of at least two faces")
        maps = maps.roll(1, 0)
    return torch.cat([images, maps], 1)
