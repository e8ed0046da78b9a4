"""From a picture and a box to the square that a network sees, with augmentation in the same affine."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from facelab.data.augmentation import Augmentation
from facelab.data.occluders import covered_at
from facelab.data.sample import FaceSample
from facelab.geometry import Affine, rotation_angles, rotation_matrix
from facelab.markups import markup

Window = tuple[Tensor, Tensor]


def _centred(times: float) -> Callable[[Tensor, Tensor], Window]:
    """The middle of the box, and so many times its longer side."""
    return lambda middle, extent: (middle, times * extent.amax(1))


def _fan(middle: Tensor, extent: Tensor) -> Window:
    return middle - _down(0.12 * extent[:, 1]), extent.sum(1) * 200 / 195


def _detector(middle: Tensor, extent: Tensor) -> Window:
    mean = extent.mean(1)
    return middle + _down(0.14 * mean), 1.58 * mean


def _fixed(middle: Tensor, extent: Tensor) -> Window:
    # The release counts pixels from 1: there it is (225, 275).
    return middle.new_tensor([224.0, 274.0]).expand_as(middle), torch.full_like(extent[:, 0], 360.0)


def _down(distance: Tensor) -> Tensor:
    return torch.stack([torch.zeros_like(distance), distance], 1)


_RULES: dict[str, Callable[[Tensor, Tensor], Window]] = {
    "tight": _centred(1.4),
    "snug": _centred(1.3),
    "two_stage": _centred(1.225),
    "fan": _fan,
    "300w-lp": _fixed,
    "3ddfa": _centred(math.sqrt(2)),
    "3ddfa-detector": _detector,
}
CROPS = tuple(_RULES)


def crop_window(box: Tensor, rule: str = "tight") -> Window:
    """Centre and side of the square window of a box.

    ==================  ===============================================================================================
    rule                window
    ==================  ===============================================================================================
    ``tight``           middle of the box, 1.4 times its longer side; ours, for pictures of few pixels
    ``snug``            the same with 1.3 times; ours, goes with the augmentation ``"strong"``
    ``two_stage``       the same with 1.225 times: the paper extends the box by 20 % to 25 %
    ``fan``             middle raised by 12 % of the height, 200 / 195 times width plus height, about twice the box
                        (FAN's released code)
    ``300w-lp``         one window for all 450 x 450 pictures of 300W-LP, whatever the box: 360 pixels about (224, 274)
                        (FAN's released training code)
    ``3ddfa``           middle of the box of the landmarks, sqrt(2) times its longer side (3DDFA, 3DDFA_V2)
    ``3ddfa-detector``  for the box of a face detector: middle lowered by 14 % and 1.58 times the mean of width and
                        height (3DDFA, 3DDFA_V2)
    ==================  ===============================================================================================

    Args:
        box: ``(B, 4)`` x0, y0, x1, y1 of (nearly) the landmarks, in pixels. rule: a name of the table.
    Returns:
        ``(B, 2)`` centre and ``(B,)`` side in pixels.
    Raises:
        ValueError: on an empty or unknown (NaN) box, or an unknown rule.
    """
    if box.ndim != 2 or box.shape[1] != 4 or not bool((box[:, 2:] > box[:, :2]).all()) or not box.isfinite().all():
        raise ValueError("box: expected (B, 4) finite x0, y0, x1, y1 with x0 < x1 and y0 < y1")
    if rule not in _RULES:
        raise ValueError(f"crop rule: expected one of {', '.join(CROPS)}, got {rule!r}")
    return _RULES[rule]((box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2])


def box_side(rule: str, size: int) -> float:
    """How many of the ``size`` pixels of a crop's side a square box takes, by a rule that follows the box."""
    unit = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    return size / float(crop_window(unit, rule)[1])


def inexact_boxes(box: Tensor, generator: torch.Generator, shift: float = 0.0, scale: float = 0.0) -> Tensor:
    """Boxes as a detector of limited accuracy gives them.

    The middle moves by up to ``shift`` times the longer side, along both axes, and width and height are multiplied by
    one number from ``1 - scale`` to ``1 + scale``; both are uniform.

    Args:
        box: ``(B, 4)`` x0, y0, x1, y1. generator: on the CPU. shift: not negative. scale: in [0, 1).
    Raises:
        ValueError: on a shift or scale out of range.
    Source: FAN's study of initialisation, with 10 % to 30 % of the box in position and scale; the law is ours.
    """
    if shift < 0 or not 0 <= scale < 1:
        raise ValueError(f"inexact_boxes: expected shift >= 0 and 0 <= scale < 1, got {shift} and {scale}")
    draw = 2 * torch.rand(len(box), 3, generator=generator).to(box) - 1
    middle, extent = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
    middle = middle + shift * extent.amax(1, keepdim=True) * draw[:, :2]
    half = extent * (1 + scale * draw[:, 2:]) / 2
    return torch.cat([middle - half, middle + half], 1)


@dataclass(frozen=True)
class Crop:
    """What a network is given.

    Attributes:
        image: ``(B, 3, size, size)``.
        landmarks: ``(B, L, D)`` in its pixels, in the order of the mark-up also where the picture was mirrored; NaN
            where they were missing.
        visible: ``(B, L)`` bool; False too where an occluder was drawn over the landmark.
        pose: ``(B, 3)`` radians pitch, yaw, roll of the head as the crop shows it; NaN where unknown.
        parameters: ``(B, 62)``, with the camera to the crop's pixels; NaN where unknown, and where the picture was
            mirrored, since identity and expression coefficients have no mirror image.
        affine: from source to crop pixels; its inverse brings landmarks back.
        mirrored: ``(B,)`` bool.
    """

    image: Tensor
    landmarks: Tensor
    visible: Tensor
    pose: Tensor
    parameters: Tensor
    affine: Affine
    mirrored: Tensor


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
        augmentation: with its ``generator`` on the CPU; none for evaluation.
    Raises:
        ValueError: on an empty box, an unknown rule, or an augmentation without a generator.
    """
    window = Affine.crop(*crop_window(batch.box, rule), size)
    if augmentation is None:
        return _cut(batch, window, torch.zeros_like(batch.visible[:, 0]), size)
    if generator is None:
        raise ValueError("crop_faces: augmentation needs a generator")
    change, mirrored = augmentation.geometry(size, len(batch.image), generator)
    affine = Affine(change.matrix.to(window.matrix)) @ window
    crop = _cut(batch, affine, mirrored.to(batch.image.device), size)
    image, covered = augmentation.occluded(crop.image, crop.landmarks, generator, batch.markup)
    return Crop(
        image=augmentation.photometry(image, generator),
        landmarks=crop.landmarks,
        visible=crop.visible & ~covered_at(covered, crop.landmarks),
        pose=turned_pose(batch.pose, affine),
        parameters=crop.parameters,
        affine=affine,
        mirrored=crop.mirrored,
    )


def _cut(batch: FaceSample, affine: Affine, mirrored: Tensor, size: int) -> Crop:
    partner = torch.tensor(markup(batch.markup).mirror, device=mirrored.device)
    landmarks, visible = affine.apply(batch.landmarks), batch.visible
    return Crop(
        image=affine.warp(batch.image, size, size),
        landmarks=torch.where(mirrored[:, None, None], landmarks[:, partner], landmarks),
        visible=torch.where(mirrored[:, None], visible[:, partner], visible),
        pose=batch.pose,
        parameters=torch.where(mirrored[:, None], torch.nan, moved_parameters(batch.parameters, affine)),
        affine=affine,
        mirrored=mirrored,
    )


def turned_pose(pose: Tensor, affine: Affine) -> Tensor:
    """The pose ``(B, 3)`` (pitch, yaw, roll, radians) of a head after its picture was turned, zoomed and mirrored.

    A mirror alone changes the signs of yaw and roll. A turn of the picture is one about the viewing axis, so of a head
    that is not frontal it changes all three angles.
    """
    linear = affine.matrix[:, :, :2] / affine.scale()[:, None, None]
    upward = linear.new_tensor([1.0, -1.0])  # the picture's y points down, the head's up
    turn = torch.eye(3).to(linear).repeat(len(linear), 1, 1)
    turn[:, :2, :2] = upward[:, None] * linear * upward
    back = torch.ones_like(turn[:, :1])
    back[:, 0, 0] = torch.det(linear).sign()  # a mirrored head is a head again: mirror it back in its own frame
    return rotation_angles(turn @ rotation_matrix(*pose.to(linear).unbind(1)) * back).to(pose)


def moved_parameters(parameters: Tensor, affine: Affine) -> Tensor:
    """The parameters ``(B, 62)`` with their camera (the first 12, 3 x 4 by rows) followed by the affine.

    Depth is scaled as the picture is. After a mirror the camera is one of a mirrored head.
    """
    camera = parameters[:, :12].reshape(-1, 3, 4)
    rows = affine.matrix[:, :, :2] @ camera[:, :2]
    rows = torch.cat([rows[..., :3], rows[..., 3:] + affine.matrix[:, :, 2:]], 2)
    depth = camera[:, 2:] * affine.scale()[:, None, None]
    return torch.cat([torch.cat([rows, depth], 1).flatten(1), parameters[:, 12:]], 1)
