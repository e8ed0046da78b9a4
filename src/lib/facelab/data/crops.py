"""From a picture and a box to the square that a network sees, with augmentation in the same affine."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from facelab.data.sample import FaceSample
from facelab.geometry import Affine
from facelab.markups import markup

CROPS = ("tight", "fan")


def crop_window(box: Tensor, rule: str = "tight") -> tuple[Tensor, Tensor]:
    """Centre and side of the square window of a box.

    Args:
        box: ``(B, 4)`` x0, y0, x1, y1 of (nearly) the landmarks, in pixels.
        rule: ``"tight"``: centre of the box, 1.4 times its longer side. ``"fan"``: centre raised by 12 % of the height,
            side 200 / 195 times width plus height, about twice the box.
    Returns:
        ``(B, 2)`` centre and ``(B,)`` side in pixels.
    Source: ``"fan"`` is the rule of FAN's released code; ``"tight"`` is ours, for pictures of few pixels.
    """
    if box.ndim != 2 or box.shape[1] != 4 or bool((box[:, 2:] <= box[:, :2]).any()):
        raise ValueError("box: expected (B, 4) x0, y0, x1, y1 with x0 < x1 and y0 < y1")
    middle, extent = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
    if rule == "tight":
        return middle, 1.4 * extent.amax(1)
    if rule == "fan":
        raised = 0.12 * extent[:, 1]
        return middle - torch.stack([torch.zeros_like(raised), raised], 1), extent.sum(1) * 200 / 195
    raise ValueError(f"crop rule: expected one of {', '.join(CROPS)}, got {rule!r}")


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training picture; the defaults are those of FAN.

    Attributes:
        rotation: degrees, uniform in +-rotation. scale: ``(low, high)`` zoom, uniform.
        shift: share of the window, uniform in +-shift. mirror: probability.
        gain: ``(low, high)`` factor of each colour channel. grey: probability of a nearly colourless picture.
        gamma: exponent exp(U(-gamma, gamma)) on brightness. blur: probability of a 3 x 3 box blur.
        noise: standard deviation of pixel noise, uniform up to this.
        occlusion: probability of one rectangle, each side 10 % to 40 % of the window.
    Source: FAN, section 3.2 (rotation 50 degrees, scale 0.8 to 1.2, mirror, colour, occlusion). The paper does not say
    how it occludes, and has no shift, gamma, grey, blur or noise: those are ours, for synthetic training faces.
    """

    rotation: float = 50.0
    scale: tuple[float, float] = (0.8, 1.2)
    shift: float = 0.05
    mirror: float = 0.5
    gain: tuple[float, float] = (0.7, 1.3)
    grey: float = 0.2
    gamma: float = 0.6
    blur: float = 0.3
    noise: float = 0.05
    occlusion: float = 0.5

    def geometry(self, size: int, count: int, generator: torch.Generator) -> tuple[Affine, Tensor]:
        """A random map of a ``size`` x ``size`` picture onto itself, and which of the ``count`` are mirrored."""
        draw = torch.rand(5, count, generator=generator)
        angle = (2 * draw[0] - 1) * torch.pi * self.rotation / 180
        scale = self.scale[0] + (self.scale[1] - self.scale[0]) * draw[1]
        shift = (2 * draw[2:4].T - 1) * self.shift * size
        mirrored = draw[4] < self.mirror
        centre = torch.full((count, 2), (size - 1) / 2)
        return Affine.about(centre, angle, scale, shift, mirrored), mirrored

    def photometry(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Changed colours, blur, noise and occluders of ``(B, 3, H, W)`` pictures; stays in [0, 1]."""
        count, device = len(images), images.device
        draw = torch.rand(9, count, 1, 1, 1, generator=generator).to(device)
        luma = images.mean(1, keepdim=True)
        images = torch.where(draw[0] < self.grey, luma + 0.15 * (images - luma), images)
        gain = self.gain[0] + (self.gain[1] - self.gain[0]) * torch.rand(count, 3, 1, 1, generator=generator).to(device)
        images = (images * gain).clamp(0, 1) ** torch.exp(self.gamma * (2 * draw[1] - 1))
        blurred = F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
        images = torch.where(draw[2] < self.blur, blurred, images)
        noise = torch.randn(images.shape, generator=generator).to(device)
        images = images + self.noise * draw[3] * noise
        return torch.where(self._occluder(images, draw[4:]), 0.1 * noise + draw[3], images).clamp(0, 1)

    def _occluder(self, images: Tensor, draw: Tensor) -> Tensor:
        """``(B, 1, H, W)`` bool: one rectangle in some pictures."""
        height, width = images.shape[2:]
        rows = torch.arange(height, device=images.device)[None, None, :, None] / height
        columns = torch.arange(width, device=images.device)[None, None, None] / width
        half_h, half_w = 0.05 + 0.15 * draw[0], 0.05 + 0.15 * draw[1]
        inside = ((rows - draw[2]).abs() < half_h) & ((columns - draw[3]).abs() < half_w)
        return inside & (draw[4] < self.occlusion)


@dataclass(frozen=True)
class Crop:
    """What a network is given.

    Attributes:
        image: ``(B, 3, size, size)``.
        landmarks: ``(B, L, D)`` in its pixels, in the order of the mark-up also where the picture was mirrored.
        affine: from source to crop pixels; its inverse brings landmarks back.
    """

    image: Tensor
    landmarks: Tensor
    affine: Affine


def crop_faces(
    batch: FaceSample,
    size: int,
    rule: str = "tight",
    augmentation: Augmentation | None = None,
    generator: torch.Generator | None = None,
) -> Crop:
    """Cuts a batch of faces out of their pictures, each picture sampled once.

    Args:
        batch: as made by :meth:`FaceSample.stack`. size: of the crop in pixels. rule: see :func:`crop_window`.
        augmentation: with its ``generator``; none for evaluation.
    """
    affine = Affine.crop(*crop_window(batch.box, rule), size)
    mirrored = torch.zeros(len(batch.image), dtype=torch.bool)
    if augmentation is not None:
        if generator is None:
            raise ValueError("crop_faces: augmentation needs a generator")
        change, mirrored = augmentation.geometry(size, len(batch.image), generator)
        affine = Affine(change.matrix.to(affine.matrix)) @ affine
    landmarks = affine.apply(batch.landmarks)
    partner = torch.tensor(markup(batch.markup).mirror, device=landmarks.device)
    landmarks = torch.where(mirrored.to(landmarks.device)[:, None, None], landmarks[:, partner], landmarks)
    image = affine.warp(batch.image, size, size)
    if augmentation is not None and generator is not None:
        image = augmentation.photometry(image, generator)
    return Crop(image, landmarks, affine)
