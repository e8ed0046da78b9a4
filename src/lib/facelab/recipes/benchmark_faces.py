"""The faces of the benchmark: rendered, seen by no training, and with all that makes a face hard known of each."""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from facelab.data import FaceSample, NaturalMotion, SceneRanges, SyntheticClips, SyntheticFaces, photometry
from facelab.data.occluders import OCCLUDERS, covered_at, occlude
from facelab.data.sample import landmark_box
from facelab.data.synthetic.faces import seeded
from facelab.data.synthetic.scene import sample_scene
from facelab.face3d import builtin_face
from facelab.face3d.contour import JAW
from facelab.metrics import normalizer_lengths
from facelab.recipes.settings import nearest

SEED = 30_000  # of the test faces; two more seeds are taken: for clips, and for all that is chosen
PICTURE = 96  # pixels; the crops of the networks have 64
COUNTS = {"smoke": 32, "quick": 300, "cpu": 2000, "gpu": 2000}
CLIPS = {"smoke": 2, "quick": 6, "cpu": 30, "gpu": 30}
FRAMES = 24
FACTORS = ("yaw", "pitch", "roll", "occlusion", "blur", "light")
_CHUNK = 32
_OCCLUDED, _BLURRED, _SHADED = 0.3, 0.5, 0.5  # shares of the faces
_SIGMA = (0.01, 0.05)  # of the blur, shares of the root of the box's area
_DARKNESS = (0.3, 0.9)  # share of the light that is taken on one side
_THINGS = tuple(kind for kind in OCCLUDERS if kind != "cutout")


class BenchmarkFaces(Dataset[FaceSample]):
    """Faces of all poses, and what stands before and between them and the camera.

    Yaw is uniform from -90 to 90 degrees, so that each of the three bins has a third of the faces. Chance decides of
    each face, one independent of the other, whether something stands before it (three in ten), whether it is out of
    focus (one in two), and whether light is taken from one side of it (one in two). The first faces of a longer set
    are those of a shorter one.

    Args:
        count: of faces. seed: of the faces and of all that happens to them. progress: show a bar while rendering.

    Attributes:
        factors: name, one of ``FACTORS``, to ``(count,)``: the angles in degrees without their signs; the share of the
            landmarks that something covers; the deviation of the blur as a share of the root of the box's area; and
            the deviation of the brightness at the seen landmarks over its mean, before anything covers them.
    """

    def __init__(self, count: int, seed: int = SEED, progress: bool = False) -> None:
        if count < 1:
            raise ValueError(f"BenchmarkFaces count: expected at least 1, got {count}")
        # Whole chunks, also at the end: what happens to a face does not depend on how many there are.
        chunks = -(-count // _CHUNK)
        self.clean = SyntheticFaces(chunks * _CHUNK, PICTURE, seed, camera=None, progress=progress)
        self.count, self.seed = count, seed
        changed = [self._changed(number) for number in range(chunks)]
        whole = _Changed(*(torch.cat(parts)[:count] for parts in zip(*changed, strict=True)))
        self._images, self._visible = whole.images, whole.visible
        pitch, yaw, roll = self.clean.poses[:count].rad2deg().abs().unbind(1)
        known = {"occlusion": whole.occlusion, "blur": whole.blur, "light": whole.light}
        self.factors: dict[str, Tensor] = {"yaw": yaw, "pitch": pitch, "roll": roll, **known}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> FaceSample:
        if not -self.count <= index < self.count:
            raise IndexError(f"face {index}: expected an index below {self.count}")
        place = index % self.count
        image, name = self._images[place].float() / 255, f"benchmark-{self.seed}-{place}"
        return replace(self.clean[place], image=image, visible=self._visible[place], name=name)

    @property
    def landmarks(self) -> Tensor:
        """The labels ``(count, 68, 3)`` in pixels, the jaw on the head (the 3D rule)."""
        return self.clean.landmarks[: self.count]

    @property
    def outlines(self) -> Tensor:
        """``(count, 68, 2)``: the same with the jaw on the visible outline (the 2D rule)."""
        flat = self.landmarks[..., :2].clone()
        flat[:, :JAW] = self.clean.contours[: self.count]
        return flat

    @property
    def yaw(self) -> Tensor:
        """``(count,)`` degrees, with its sign."""
        return self.clean.poses[: self.count, 1].rad2deg()

    def _changed(self, chunk: int) -> "_Changed":
        """A chunk of faces after all that happens to them."""
        batch = FaceSample.stack([self.clean[chunk * _CHUNK + row] for row in range(_CHUNK)])
        chance, amount = torch.rand(2, 2, _CHUNK, generator=seeded(self.seed, chunk, 1))
        points = batch.landmarks[..., :2]
        darkness = torch.where(chance[0] < _SHADED, _between(_DARKNESS, amount[0]), 0.0)
        side = 2 * torch.pi * chance[0] / _SHADED  # uniform where it counts
        middle, soft = torch.zeros(_CHUNK), torch.full((_CHUNK,), 0.3)
        images = photometry.light_from_one_side(batch.image, side, middle, soft, darkness)
        light = _unevenness(images, points, batch.visible)
        generator = seeded(self.seed, chunk, 2)
        images, covered = occlude(images, batch.landmarks, generator, _OCCLUDED, _THINGS)
        behind = covered_at(covered, batch.landmarks)
        blur = torch.where(chance[1] < _BLURRED, _between(_SIGMA, amount[1]), 0.0)
        images = photometry.gaussian_blur(images, blur * normalizer_lengths(points, "bbox").float())
        pictures = (images * 255).round().byte()
        return _Changed(pictures, batch.visible & ~behind, behind.float().mean(1), blur, light)


class _Changed(NamedTuple):
    images: Tensor
    visible: Tensor
    occlusion: Tensor
    blur: Tensor
    light: Tensor


def _between(limits: tuple[float, float], share: Tensor) -> Tensor:
    return limits[0] + (limits[1] - limits[0]) * share


def _unevenness(images: Tensor, points: Tensor, visible: Tensor) -> Tensor:
    """``(B,)`` deviation over mean of the brightness at the landmarks that are seen."""
    height, width = images.shape[2:]
    x, y = points.round().long().unbind(2)
    grey = photometry.gaussian_blur(images, torch.full((len(images),), 1.5)).mean(1)
    values = grey.flatten(1).gather(1, y.clamp(0, height - 1) * width + x.clamp(0, width - 1))
    count = visible.sum(1).clamp_min(1)
    mean = (values * visible).sum(1) / count
    variance = ((values - mean[:, None]).square() * visible).sum(1) / count
    return variance.sqrt() / mean.clamp_min(1e-3)


def unseen(profile: str, progress: bool = False) -> BenchmarkFaces:
    """Those that methods are compared on."""
    return BenchmarkFaces(nearest("profile", profile, COUNTS), progress=progress)


def tuning(profile: str, progress: bool = False) -> BenchmarkFaces:
    """A tenth as many others, 32 at least, for all that is chosen."""
    return BenchmarkFaces(max(_CHUNK, nearest("profile", profile, COUNTS) // 10), SEED + 2, progress)


def clips(profile: str, progress: bool = False) -> SyntheticClips:
    """Clips of unseen people in natural motion, as a camera films them."""
    count = nearest("profile", profile, CLIPS)
    return SyntheticClips(count, NaturalMotion(FRAMES), PICTURE, SEED + 1, progress=progress)


def mean_shape(boxes: Tensor, faces: int = 4096) -> Tensor:
    """What a method says that looks at nothing but the box: the mean face of the training poses, put into each box.

    Args:
        boxes: ``(N, 4)`` x0, y0, x1, y1. faces: from which the mean is taken; they are not drawn.
    Returns:
        ``(N, 68, 3)`` in the boxes' pixels, z of mean 0.
    """
    centre, side = _frames(boxes)
    return centre + side * _mean_face(faces)


@cache
def _mean_face(faces: int) -> Tensor:
    """``(68, 3)`` in longer sides of the box, from its middle."""
    model = builtin_face().landmark_model()
    scene = sample_scene(builtin_face(), faces, PICTURE, SceneRanges(), seeded(SEED + 2, 0, 3))
    points = scene.camera.project(model.vertices(scene.identity, scene.expression))
    centre, side = _frames(landmark_box(points))
    mean = ((points - centre) / side).mean(0)
    mean[:, 2] -= mean[:, 2].mean()
    return mean


def _frames(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Middles ``(N, 1, 3)``, without a depth, and longer sides ``(N, 1, 1)`` of boxes."""
    middle = torch.nn.functional.pad((boxes[:, :2] + boxes[:, 2:]) / 2, (0, 1))
    return middle[:, None], (boxes[:, 2:] - boxes[:, :2]).amax(1)[:, None, None]
