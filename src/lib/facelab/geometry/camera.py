"""The weak-perspective camera: one scale for the whole head, no vanishing point."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class WeakPerspective:
    """Turns model space (x right, y up, z to the viewer) into image pixels (x right, y down, z nearer is larger).

    ``x = s (R v)_x + t_x``, ``y = -s (R v)_y + t_y``, ``z = s (R v)_z``.

    Attributes:
        scale: ``(B,)`` pixels per model unit.
        rotation: ``(B, 3, 3)``.
        translation: ``(B, 2)`` pixels.
    """

    scale: Tensor
    rotation: Tensor
    translation: Tensor

    def __post_init__(self) -> None:
        batch = len(self.scale)
        for name, shape in (("scale", (batch,)), ("rotation", (batch, 3, 3)), ("translation", (batch, 2))):
            got = tuple(getattr(self, name).shape)
            if got != shape:
                raise ValueError(f"camera {name}: expected shape {shape}, got {got}")

    def project(self, vertices: Tensor) -> Tensor:
        """Model points ``(B, V, 3)`` to pixels ``(B, V, 3)``; z in pixels too, zero at the model's origin."""
        turned = vertices @ self.rotation.transpose(1, 2)
        flip = turned.new_tensor([1.0, -1.0, 1.0])
        shift = torch.nn.functional.pad(self.translation, (0, 1))
        return turned * (self.scale[:, None, None] * flip) + shift[:, None]

    def matrix(self) -> Tensor:
        """The same map as one ``(B, 3, 4)`` matrix ``[s F R | t]`` with ``F = diag(1, -1, 1)``."""
        flip = self.rotation.new_tensor([1.0, -1.0, 1.0])[:, None]
        linear = self.scale[:, None, None] * flip * self.rotation
        return torch.cat([linear, torch.nn.functional.pad(self.translation, (0, 1))[:, :, None]], 2)
