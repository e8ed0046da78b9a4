"""Short videos made of stills: the head moves a little from frame to frame, and the labels with it.

Source: Guo et al. 2020 (3DDFA_V2), section 3.3 and supplement, section C ("3D aided short-video-synthesis").
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from facelab.data import photometry
from facelab.data.crops import moved_parameters
from facelab.data.mesh_warp import mesh_warp
from facelab.face3d import MorphableModel
from facelab.face3d.parameters import project, unpack
from facelab.geometry import Affine, rotation_matrix

WARPED = ("face", "lips", "ears", "eyes", "lid margins", "scalp", "neck")
"""Regions of the built-in face that together hide the far side of the head, as in a picture."""


class Motion(NamedTuple):
    """How heads and pictures move in clips of ``n`` frames, each frame seen from the still.

    Attributes:
        affine: ``(B, n, 2, 3)`` of the picture's plane, from pixels of the still to pixels of the frame.
        turn: ``(B, n, 3, 3)`` rotation in the head's own frame, about the head's centre and before the affine: a model
            point ``c + v`` goes where ``c + turn @ v`` would be.
    """

    affine: Tensor
    turn: Tensor

    def to(self, other: Tensor) -> "Motion":
        """The same on the device and with the type of a tensor."""
        return Motion(self.affine.to(other), self.turn.to(other))

    def of(self, index: slice) -> "Motion":
        """Some frames of every clip."""
        return Motion(self.affine[:, index], self.turn[:, index])

    def plane(self) -> Affine:
        """The affines of all frames, one clip after the other: ``B n`` of them."""
        return Affine(self.affine.flatten(0, 1))

    def parameters(self, still: Tensor, centre: Tensor) -> Tensor:
        """The labels of the frames, ``(B, n, 62)``.

        The rotation becomes ``R turn``: a request in the head's frame is one of the face, whatever its pose. ``turn R``
        would be one in the camera's frame, where a change of yaw tilts a head in profile. The centre keeps its place
        in the picture, until the affine moves it. No picture shows ``t_z``: it stays that of the still, but for scale.

        Args:
            still: ``(B, 62)``. centre: ``(B, 3)`` of the heads, in model space.
        """
        frames = self.turn.shape[1]
        camera = unpack(still).camera[:, None]
        linear = camera[..., :3] @ self.turn
        kept = ((camera[..., :3] - linear) @ centre[:, None, :, None]) * centre.new_tensor([[1.0], [1.0], [0.0]])
        turned = torch.cat([linear, camera[..., 3:] + kept], 3).flatten(2)
        rest = still[:, None, 12:].expand(-1, frames, -1)
        return moved_parameters(torch.cat([turned, rest], 2).flatten(0, 1), self.plane()).unflatten(0, (-1, frames))


@dataclass(frozen=True)
class ShortVideo:
    """How a still becomes a short video. The defaults are the paper's; lengths are shares of the side of the crop.

    Each frame differs from the one before by a step ``T o F``: the head turns (``F``), then the picture is turned,
    zoomed and moved (``T``). Each number of a step is uniform in its range. Noise and blur are drawn for every frame,
    the first too, and do not add up.

    Attributes:
        frames: of a clip, the still counted as the first.
        scale: range of the zoom of a step. roll: degrees, uniform in +-roll. shift: uniform in +-shift, along both
            axes; 5 pixels of 120.
        turn: degrees of yaw and of pitch, each uniform in +-turn.
        noise: standard deviation of the noise; 3 of 255. blur: longest motion blur, 5 pixels of 120; the length is
            uniform up to it, in any direction. The paper gives examples, not the law.
        turned: with ``F`` (otherwise clips move within the picture's plane).
        continuous: steps add up from frame to frame. Otherwise each frame takes as many steps from the still, but of
            its own: every frame by itself is distributed as in a continuous clip, and only the continuity is missing.
    Raises:
        ValueError: on a number out of range, with the name of the field.
    """

    frames: int = 8
    scale: tuple[float, float] = (0.95, 1.05)
    roll: float = 3.0
    shift: float = 5 / 120
    turn: float = 5.0
    noise: float = 3 / 255
    blur: float = 5 / 120
    turned: bool = True
    continuous: bool = True

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"short video frames: expected at least 1, got {self.frames}")
        object.__setattr__(self, "scale", tuple(self.scale))
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1] < float("inf"):
            raise ValueError(f"short video scale: expected (low, high) with 0 < low <= high, got {self.scale}")
        for name in ("roll", "shift", "turn", "noise", "blur"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"short video {name}: expected a number, not negative, got {getattr(self, name)}")

    def motion(self, count: int, size: int, generator: torch.Generator) -> Motion:
        """Random motion of ``count`` clips of ``size`` x ``size`` pictures; the first frame is the still."""
        steps = self.frames - 1
        if self.continuous:
            return self._walk(count, size, generator)
        walks = self._walk(count * steps, size, generator)
        ends = torch.arange(steps)
        still = Motion(torch.eye(2, 3).expand(count, 1, -1, -1), torch.eye(3).expand(count, 1, -1, -1))
        apart = (part.unflatten(0, (count, steps))[:, ends, ends + 1] for part in walks)
        return Motion(*(torch.cat(pair, 1) for pair in zip(still, apart, strict=True)))

    def _walk(self, count: int, size: int, generator: torch.Generator) -> Motion:
        """Steps that add up."""
        affine, turn = Affine(torch.eye(2, 3).repeat(count, 1, 1)), torch.eye(3).repeat(count, 1, 1)
        affines, turns = [affine.matrix], [turn]
        for _ in range(self.frames - 1):
            step, rotation = self._step(count, size, generator)
            affine, turn = step @ affine, turn @ rotation
            affines.append(affine.matrix)
            turns.append(turn)
        return Motion(torch.stack(affines, 1), torch.stack(turns, 1))

    def _step(self, count: int, size: int, generator: torch.Generator) -> tuple[Affine, Tensor]:
        share = torch.rand(6, count, generator=generator)
        swing = 2 * share - 1
        zoom = self.scale[0] + (self.scale[1] - self.scale[0]) * share[0]
        centre, still = torch.full((count, 2), (size - 1) / 2), torch.zeros(count, dtype=torch.bool)
        roll, shift = torch.deg2rad(self.roll * swing[1]), self.shift * size * swing[2:4].T
        pitch, yaw = torch.deg2rad(self.turn * self.turned * swing[4:])
        return Affine.about(centre, roll, zoom, shift, still), rotation_matrix(pitch, yaw, torch.zeros(count))

    def degraded(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures ``(N, 3, S, S)`` with noise and then motion blur, the order of the paper's equation."""
        share = torch.rand(2, len(images), generator=generator).to(images)
        if self.noise:
            images = photometry.add_noise(images, torch.full_like(share[0], self.noise), generator)
        if self.blur:
            images = photometry.motion_blur(images, self.blur * images.shape[3] * share[0], torch.pi * share[1])
        return images


def synthesize(
    images: Tensor, parameters: Tensor, model: MorphableModel, settings: ShortVideo, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Short videos of stills, and their labels.

    Steps are put together as transforms, and each frame is sampled from the still once: repeated sampling would blur
    the later frames more.

    Args:
        images: ``(B, 3, S, S)`` crops. parameters: ``(B, 62)`` in pixels of the crop, finite: not of mirrored ones.
        model: what the parameters are of. The mesh bends the picture, so it should have no holes: for the built-in
            face ``subset(WARPED)``.
        settings: see :class:`ShortVideo`. generator: on the CPU; the same gives the same bytes.
    Returns:
        ``(B, n, 3, S, S)`` and ``(B, n, 62)``. The first frame is the still, degraded like the others.
    Raises:
        ValueError: on other shapes, parameters that are not finite, or a model without the 68 landmarks.
    """
    _check(images, parameters)
    motion = settings.motion(len(images), images.shape[3], generator).to(parameters)
    clips = moved_pictures(images, parameters, motion, model)
    pictures = settings.degraded(clips.flatten(0, 1), generator).unflatten(0, clips.shape[:2])
    return pictures, motion.parameters(parameters, head_centres(parameters, model))


def head_centres(parameters: Tensor, model: MorphableModel) -> Tensor:
    """What a head turns about: the mean of its 68 landmarks, ``(B, 3)`` in model space.

    It does not depend on which part of a mesh is at hand.
    """
    _, identity, expression = unpack(parameters)
    points = model.landmark_model()
    return points.vertices(identity[:, : len(model.identity)], expression[:, : len(model.expression)]).mean(1)


def moved_pictures(images: Tensor, parameters: Tensor, motion: Motion, model: MorphableModel) -> Tensor:
    """The frames ``(B, n, 3, S, S)`` of stills ``(B, 3, S, S)`` that move so; the first is the still itself.

    Within the plane this is :meth:`Affine.warp`, else :func:`facelab.data.mesh_warp.mesh_warp`.
    """
    later = motion.of(slice(1, None))
    count, frames = later.turn.shape[:2]
    if not frames:
        return images[:, None]
    of_still = torch.arange(count, device=images.device).repeat_interleave(frames)
    if bool((later.turn == torch.eye(3).to(later.turn)).all()):
        moved = later.plane().warp(images[of_still], *images.shape[2:])
    else:
        labels = later.parameters(parameters, head_centres(parameters, model)).flatten(0, 1)
        still, turned = project(model, parameters), project(model, labels)
        moved = mesh_warp(images, still, turned, model.triangles, later.plane(), of_still)
    return torch.cat([images[:, None], moved.unflatten(0, (count, frames))], 1)


def _check(images: Tensor, parameters: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
        raise ValueError(f"images: expected square crops (B, 3, S, S), got {tuple(images.shape)}")
    unpack(parameters)
    if len(parameters) != len(images):
        raise ValueError(f"parameters: expected shape ({len(images)}, 62), got {tuple(parameters.shape)}")
    if not bool(parameters.isfinite().all()):
        raise ValueError("parameters: expected finite numbers; mirrored crops and unlabelled faces have none")
