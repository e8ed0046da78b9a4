"""The weak-perspective camera: one scale for the whole head, no vanishing point."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad


@dataclass(frozen=True)
class WeakPerspective:
    """Turns model space (x right, y up, z to the viewer) into image pixels (x right, y down, z nearer is larger).

    ``x = s (R v)_x + t_x``, ``y = -s (R v)_y + t_y``, ``z = s (R v)_z + t_z``.

    Attributes:
        scale: ``(B,)`` pixels per model unit.
        rotation: ``(B, 3, 3)``.
        translation: ``(B, 2)`` pixels; or ``(B, 3)`` with a depth ``t_z``, which no picture shows and which is else 0.
    """

    scale: Tensor
    rotation: Tensor
    translation: Tensor

    def __post_init__(self) -> None:
        batch = len(self.scale)
        shapes: dict[str, list[tuple[int, ...]]] = {
            "scale": [(batch,)],
            "rotation": [(batch, 3, 3)],
            "translation": [(batch, 2), (batch, 3)],
        }
        for name, allowed in shapes.items():
            got = tuple(getattr(self, name).shape)
            if got not in allowed:
                raise ValueError(f"camera {name}: expected shape {' or '.join(map(str, allowed))}, got {got}")

    @staticmethod
    def from_matrix(matrix: Tensor) -> "WeakPerspective":
        """The camera of a ``(B, 3, 4)`` matrix; undoes :meth:`matrix`.

        A matrix that is no scaled rotation (a network's guess) gives the rotation of its first two rows, made
        orthogonal one after the other, and their mean length as scale; the third row, which only makes depth, is not
        looked at. Gradients flow. A mirrored picture has no such camera.

        Raises:
            ValueError: on another shape.
        """
        if matrix.ndim != 3 or matrix.shape[1:] != (3, 4):
            raise ValueError(f"camera matrix: expected shape (B, 3, 4), got {tuple(matrix.shape)}")
        right, up = matrix[:, 0, :3], -matrix[:, 1, :3]
        scale = (torch.linalg.vector_norm(right, dim=1) + torch.linalg.vector_norm(up, dim=1)) / 2
        first = normalize(right, dim=1)
        second = normalize(up - (up * first).sum(1, keepdim=True) * first, dim=1)
        rotation = torch.stack([first, second, torch.linalg.cross(first, second)], 1)
        return WeakPerspective(scale, rotation, matrix[:, :, 3])

    def project(self, vertices: Tensor) -> Tensor:
        """Model points ``(B, V, 3)`` to pixels ``(B, V, 3)``; z in pixels too, ``t_z`` at the model's origin."""
        turned = vertices @ self.rotation.transpose(1, 2)
        flip = turned.new_tensor([1.0, -1.0, 1.0])
        return turned * (self.scale[:, None, None] * flip) + self._shift()[:, None]

    def matrix(self) -> Tensor:
        """The same map as one ``(B, 3, 4)`` matrix ``[s F R | t]`` with ``F = diag(1, -1, 1)``."""
        flip = self.rotation.new_tensor([1.0, -1.0, 1.0])[:, None]
        linear = self.scale[:, None, None] * flip * self.rotation
        return torch.cat([linear, self._shift()[:, :, None]], 2)

    def _shift(self) -> Tensor:
        return pad(self.translation, (0, 3 - self.translation.shape[1]))
