"""Rendered clips: one person before one background in one light, whose head moves from frame to frame."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from facelab.data import short_video
from facelab.data.augmentation import Augmentation
from facelab.data.sample import FaceSample
from facelab.data.short_video import Motion, ShortVideo, head_centres, moved_pictures
from facelab.data.synthetic.faces import SyntheticFaces, seeded
from facelab.data.synthetic.scene import Scene, SceneRanges, sample_scene
from facelab.face3d import MorphableModel
from facelab.face3d.parameters import pack, project, unpack
from facelab.geometry import Affine, WeakPerspective, rasterize, rotation_angles, rotation_matrix

FILMED = Augmentation(motion=0.1, length=(0.0, 0.04), noise=0.02, jpeg=0.3, quality=(40.0, 95.0))
"""What differs between the frames of a film: noise, compression, now and then a shake. Things that would flicker, such
as occluders or colours, are left out."""


class MotionLaw(Protocol):
    """How heads move in clips: :class:`facelab.data.ShortVideo` or :class:`NaturalMotion`."""

    @property
    def frames(self) -> int:
        """Of a clip."""

    def motion(self, count: int, size: int, generator: torch.Generator) -> Motion:
        """Of ``count`` clips of ``size`` x ``size`` pictures."""


@dataclass(frozen=True)
class NaturalMotion:
    """Heads that nod, look around, lean and speak: every number is a smooth wave, the sum of three sinusoids.

    Attributes:
        frames: of a clip.
        yaw, pitch, roll: degrees; shift: share of the side of the picture; zoom: share of the size: standard deviation
            of the waves over time.
        speech: from 0, the expression stays, to 1, it wanders between that of the first frame and two others.
        period: frames, range of the periods of the sinusoids.
    Raises:
        ValueError: on a number out of range, with the name of the field.
    """

    frames: int = 60
    yaw: float = 12.0
    pitch: float = 5.0
    roll: float = 4.0
    shift: float = 0.02
    zoom: float = 0.03
    speech: float = 1.0
    period: tuple[float, float] = (25.0, 90.0)

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"natural motion frames: expected at least 1, got {self.frames}")
        for name in ("yaw", "pitch", "roll", "shift", "zoom"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"natural motion {name}: expected a number, not negative, got {getattr(self, name)}")
        if not 0 <= self.speech <= 1:
            raise ValueError(f"natural motion speech: expected a number in [0, 1], got {self.speech}")
        object.__setattr__(self, "period", tuple(self.period))
        if len(self.period) != 2 or not 2 <= self.period[0] <= self.period[1] < float("inf"):
            raise ValueError(f"natural motion period: expected (low, high) with 2 <= low <= high, got {self.period}")

    def motion(self, count: int, size: int, generator: torch.Generator) -> Motion:
        """Waves about the middle of the motion, less their value in the first frame, which is the still."""
        waves = self.waves(count, 6, generator)
        pitch, yaw, roll, zoom, *shift = (waves - waves[:, :1]).unbind(2)
        pitch, yaw, roll = (
            torch.deg2rad(amount * wave)
            for amount, wave in zip((self.pitch, self.yaw, self.roll), (pitch, yaw, roll), strict=True)
        )
        centre = torch.full((count * self.frames, 2), (size - 1) / 2)
        plane = Affine.about(
            centre,
            roll.flatten(),
            torch.exp(self.zoom * zoom).flatten(),
            (self.shift * size * torch.stack(shift, 2)).flatten(0, 1),
            torch.zeros(count * self.frames, dtype=torch.bool),
        )
        turn = rotation_matrix(pitch, yaw, torch.zeros_like(yaw))
        return Motion(plane.matrix.unflatten(0, (count, self.frames)), turn)

    def waves(self, count: int, kinds: int, generator: torch.Generator) -> Tensor:
        """``(count, frames, kinds)`` of unit variance over a long time."""
        share = torch.rand(2, count, 1, kinds, 3, generator=generator)
        period = self.period[0] * (self.period[1] / self.period[0]) ** share[0]
        time = torch.arange(self.frames, dtype=torch.float32)[:, None, None]
        return torch.sin(2 * math.pi * (time / period + share[1])).sum(3) * math.sqrt(2 / 3)


class ClipFrames(SyntheticFaces):
    """All frames of :class:`SyntheticClips`, one clip after the other, as a set of faces.

    Clip ``i`` depends on the seed and on ``i`` alone. Arguments as of :class:`SyntheticFaces`; ``clips`` counts clips,
    and ``law`` says how they move.
    """

    def __init__(self, clips: int, law: MotionLaw, size: int, seed: int, **others: Any) -> None:
        self.law, self._chunk = law, law.frames
        super().__init__(clips * law.frames, size, seed, **others)

    def _arguments(self) -> dict[str, object]:
        law = {"kind": type(self.law).__name__, **asdict(self.law)}  # type: ignore[call-overload]
        code = hashlib.sha256(Path(short_video.__file__).read_bytes()).hexdigest()[:16]
        return {**super()._arguments(), "law": law, "law code": code}

    def motion(self, clip: int) -> Motion:
        """How a clip moves, a batch of one."""
        return self.law.motion(1, self.size, seeded(self.seed, clip, 1))

    def _scenes(self, chunk: int, generator: torch.Generator) -> Scene:
        still = sample_scene(self.face, 1, self.size, self.ranges, generator)
        parameters = pack(still.camera.matrix(), still.identity, still.expression)
        moved = self.motion(chunk).parameters(parameters, head_centres(parameters, self.face))[0]
        camera = WeakPerspective.from_matrix(unpack(moved).camera)
        return replace(
            _repeated(still, self._chunk),
            camera=camera,
            pose=rotation_angles(camera.rotation),
            expression=self._expressions(still.expression, seeded(self.seed, chunk, 2)),
        )

    def _expressions(self, first: Tensor, generator: torch.Generator) -> Tensor:
        """A walk among three expressions ``(n, Ke)``: between natural expressions everything is natural."""
        if not isinstance(self.law, NaturalMotion) or not self.law.speech:
            return first.expand(self._chunk, -1)
        others = self.face.sample(2, generator, expression_scale=self.ranges.expression)[1]
        share = torch.softmax(2 * self.law.waves(1, 3, generator)[0], 1)
        return first + self.law.speech * (share @ torch.cat([first, others]) - first)


class SyntheticClips(Dataset[FaceSample]):
    """Clips of random faces: the same person, clothes, light and background, and a head that moves.

    Args:
        count: number of clips, at least 1.
        motion: how they move, and of how many frames: :class:`facelab.data.ShortVideo`, whose steps are then rendered
            and not warped, or :class:`NaturalMotion`.
        size, seed, face, yaw, jaw, ranges, folder, progress: as of :class:`SyntheticFaces`; yaw and ranges are those of
            the first frame.
        camera: what comes between the scene and the file, drawn for each frame anew; None leaves the pictures clean.
    Raises:
        ValueError: on a number out of range. OSError: if the cache cannot be written.

    ``clips[i]`` is a :class:`FaceSample` of the frames of a clip, made by :meth:`FaceSample.stack`. ``clips.frames`` is
    the flat set of all frames, ``clips.first_frames`` that of the stills.
    """

    def __init__(
        self,
        count: int,
        motion: MotionLaw,
        size: int = 128,
        seed: int = 0,
        face: MorphableModel | None = None,
        yaw: tuple[float, float] = (-90.0, 90.0),
        jaw: str = "3d",
        ranges: SceneRanges | None = None,
        camera: Augmentation | None = FILMED,
        folder: str | Path | None = None,
        progress: bool = False,
    ) -> None:
        if count < 1:
            raise ValueError(f"SyntheticClips count: expected at least 1, got {count}")
        self.count = count
        self.frames = ClipFrames(
            count, motion, size, seed,
            face=face, yaw=yaw, jaw=jaw, ranges=ranges, camera=camera, folder=folder, progress=progress,
        )  # fmt: skip

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> FaceSample:
        if not -self.count <= index < self.count:
            raise IndexError(f"clip {index}: expected an index below {self.count}")
        return FaceSample.stack([self.frames[place] for place in self.places(index % self.count)])

    def places(self, index: int) -> range:
        """Where the frames of a clip are in the flat set."""
        length = self.frames.law.frames
        return range(index * length, (index + 1) * length)

    @property
    def first_frames(self) -> Subset[FaceSample]:
        """The still of every clip."""
        return Subset(self.frames, range(0, len(self.frames), self.frames.law.frames))


class Comparison(NamedTuple):
    """The same motion of the same still, twice.

    Attributes:
        rendered, warped: ``(K, n, 3, S, S)``. difference: ``(K, n)`` mean absolute difference of the colours over the
            pixels that the true labels give to the face, in [0, 1]; NaN in a frame without such a pixel.
    """

    rendered: Tensor
    warped: Tensor
    difference: Tensor


def warped_against_rendered(
    clips: SyntheticClips, indices: Sequence[int], model: MorphableModel, regions: Sequence[str] = ("face", "lips")
) -> Comparison:
    """Moves the first frames of clips as the clips move, by warping.

    Args:
        clips: with a :class:`ShortVideo`, best without a camera: noise would count as a difference.
        indices: of clips. model: whose mesh bends the pictures, as in :func:`facelab.data.short_video.synthesize`.
        regions: names of the parts of the mesh that count as the face.
    Raises:
        ValueError: on clips whose expressions move, which a warp of the pose cannot follow.
    """
    if not isinstance(clips.frames.law, ShortVideo):
        raise ValueError("clips: expected those of a ShortVideo, in which expressions stay")
    batch = [clips[index] for index in indices]
    rendered = torch.stack([clip.image for clip in batch])
    parameters = torch.stack([clip.parameters for clip in batch])
    moves = [clips.frames.motion(index % len(clips)) for index in indices]
    motion = Motion(*(torch.cat(parts) for parts in zip(*moves, strict=True)))
    warped = moved_pictures(rendered[:, 0], parameters[:, 0], motion, model)
    face = _covered(project(model, parameters.flatten(0, 1)), model, regions, rendered.shape[3])
    face = face.unflatten(0, rendered.shape[:2])
    apart = (warped - rendered).abs().mean(2)
    return Comparison(rendered, warped, (apart * face).sum((2, 3)) / face.sum((2, 3)))


def _covered(vertices: Tensor, model: MorphableModel, regions: Sequence[str], size: int) -> Tensor:
    """Which pixels ``(N, size, size)`` show these regions of the meshes ``(N, V, 3)``."""
    wanted = torch.tensor([name in regions for name in model.region_names])[model.region[model.triangles[:, 0]]]
    seen = rasterize(vertices, model.triangles, size, size).triangle
    return (seen >= 0) & wanted[seen.clamp_min(0)]


def _repeated(value: Any, times: int) -> Any:
    """A batch of one, of whatever the scene is made, ``times`` times."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _repeated(getattr(value, field.name), times) for field in fields(value)})
    return value.repeat_interleave(times, 0) if isinstance(value, Tensor) else value
