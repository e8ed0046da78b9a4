"""One affine map for crops and augmentation alike: it moves landmarks and samples pixels with the same numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Affine:
    """A batch of affine maps of the image plane, from source pixels to target pixels.

    Pixel centres are whole numbers and (0, 0) is the centre of the top-left pixel, so an image of side ``n`` covers
    [-0.5, n - 0.5]. Maps are composed first and an image is sampled once.

    Attributes:
        matrix: ``(B, 2, 3)``; a point goes to ``matrix[:, :, :2] @ p + matrix[:, :, 2]``.
    """

    matrix: Tensor

    def __post_init__(self) -> None:
        if self.matrix.ndim != 3 or self.matrix.shape[1:] != (2, 3):
            raise ValueError(f"affine matrix: expected shape (B, 2, 3), got {tuple(self.matrix.shape)}")

    @staticmethod
    def crop(centre: Tensor, side: Tensor, size: int) -> "Affine":
        """Square window to an image of ``size`` pixels.

        Args:
            centre: ``(B, 2)`` source pixels. side: ``(B,)`` source pixels, positive. size: target pixels.
        """
        if bool((side <= 0).any()):
            raise ValueError("crop side: expected positive lengths in pixels")
        zoom = size / side
        linear = torch.eye(2, dtype=centre.dtype, device=centre.device) * zoom[:, None, None]
        shift = (size - 1) / 2 - zoom[:, None] * centre
        return Affine(torch.cat([linear, shift[:, :, None]], 2))

    @staticmethod
    def about(centre: Tensor, angle: Tensor, scale: Tensor, shift: Tensor, mirror: Tensor) -> "Affine":
        """Mirror (left-right), turn, zoom and shift about a point, in this order.

        Args:
            centre: ``(B, 2)``. angle: ``(B,)`` radians, clockwise on the screen. scale: ``(B,)``.
            shift: ``(B, 2)`` pixels. mirror: ``(B,)`` bool.
        """
        cos, sin = scale * angle.cos(), scale * angle.sin()
        flip = torch.where(mirror, -1.0, 1.0).to(cos)
        linear = torch.stack([torch.stack([flip * cos, -sin], 1), torch.stack([flip * sin, cos], 1)], 1)
        moved = centre + shift - (linear @ centre[:, :, None])[:, :, 0]
        return Affine(torch.cat([linear, moved[:, :, None]], 2))

    def __matmul__(self, first: "Affine") -> "Affine":
        """``(second @ first).apply(p) == second.apply(first.apply(p))``."""
        linear = self.matrix[:, :, :2] @ first.matrix[:, :, :2]
        shift = self.matrix[:, :, :2] @ first.matrix[:, :, 2:] + self.matrix[:, :, 2:]
        return Affine(torch.cat([linear, shift], 2))

    def inverse(self) -> "Affine":
        """The map back."""
        linear = torch.linalg.inv(self.matrix[:, :, :2])
        return Affine(torch.cat([linear, -linear @ self.matrix[:, :, 2:]], 2))

    def scale(self) -> Tensor:
        """``(B,)`` target pixels per source pixel: the square root of the area factor."""
        return torch.det(self.matrix[:, :, :2]).abs().sqrt()

    def apply(self, points: Tensor) -> Tensor:
        """Moves points ``(B, L, 2)`` or ``(B, L, 3)``; a third coordinate is scaled as the picture is."""
        moved = points[..., :2] @ self.matrix[:, :, :2].transpose(1, 2) + self.matrix[:, None, :, 2]
        if points.shape[-1] == 2:
            return moved
        return torch.cat([moved, points[..., 2:] * self.scale()[:, None, None]], -1)

    def warp(self, images: Tensor, height: int, width: int) -> Tensor:
        """Samples ``(B, C, H, W)`` images into ``(B, C, height, width)``, bilinear, zero outside.

        When every map of the batch shrinks its picture at least twofold, blocks of pixels are averaged first, so that
        no pixel is skipped.
        """
        shrink = max(1, int(1 / float(self.scale().amax())))
        back = self.inverse().matrix.to(images)
        ys = torch.arange(height, device=images.device, dtype=images.dtype)
        xs = torch.arange(width, device=images.device, dtype=images.dtype)
        grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1).reshape(1, -1, 2)
        points = grid @ back[:, :, :2].transpose(1, 2) + back[:, None, :, 2]
        if shrink > 1:
            images = F.avg_pool2d(images, shrink, ceil_mode=True)
            points = (points + 0.5) / shrink - 0.5
        return sampled(images, points.reshape(-1, height, width, 2))


def sampled(images: Tensor, places: Tensor) -> Tensor:
    """What ``(B, C, H, W)`` images show at places ``(B, h, w, 2)`` in their pixels, ``(B, C, h, w)``.

    Bilinear, zero outside.
    """
    extent = places.new_tensor([images.shape[3], images.shape[2]])
    grid = (2 * places + 1) / extent - 1
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
