"""Synthetic faces as a data set: exact labels, any number, nothing to download."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from facelab.data.augmentation import Augmentation
from facelab.data.cache import Arrays, cache_folder, cached_arrays
from facelab.data.occluders import OCCLUDERS, covered_at
from facelab.data.sample import FaceSample, landmark_box
from facelab.data.synthetic.scene import Picture, Scene, SceneRanges, render_scene, sample_scene
from facelab.face3d import MorphableModel, builtin_face
from facelab.face3d.contour import JAW
from facelab.face3d.parameters import pack

EVERYDAY = Augmentation(  # what photographs suffer
    occlusion=0.12,
    occluders=tuple(kind for kind in OCCLUDERS if kind != "cutout"),
    grey=0.06,
    saturation=(0.7, 1.15),
    blur=0.12,
    sigma=(0.003, 0.012),
    motion=0.03,
    low_resolution=0.08,
    noise=0.02,
    jpeg=0.3,
    quality=(40.0, 95.0),
)


class SyntheticFaces(Dataset[FaceSample]):
    """Pictures of random faces of a morphable model, rendered once and kept on disk.

    Face ``i`` depends on the seed and on ``i`` alone: the first faces of a longer set are those of a shorter one. The
    arrays are memory-mapped, so a set of any length costs no memory; they are found again by the arguments.

    Args:
        count: number of faces, at least 1.
        size: side of the square pictures in pixels, at least 16.
        seed: a whole number.
        face: the morphable model; the built-in face if not given.
        yaw: ``(low, high)`` degrees, uniform.
        jaw: ``"3d"``: jaw points keep their place on the head; ``"2d"``: they slide to the visible outline, their z is
            that of the 3D rule.
        ranges: everything else that varies in the scene.
        camera: what comes between the scene and the file: things in front of the face, blur, noise, JPEG. Its geometry
            is not used; None leaves the pictures clean.
        folder: where to cache; ``facelab.data.cache_folder()`` if not given.
        progress: show a bar while rendering.
    Raises:
        ValueError: on a number out of range. OSError: if the cache cannot be written.
    """

    _chunk = 32

    def __init__(
        self,
        count: int,
        size: int = 128,
        seed: int = 0,
        face: MorphableModel | None = None,
        yaw: tuple[float, float] = (-90.0, 90.0),
        jaw: str = "3d",
        ranges: SceneRanges | None = None,
        camera: Augmentation | None = EVERYDAY,
        folder: str | Path | None = None,
        progress: bool = False,
    ) -> None:
        if count < 1 or size < 16 or seed < 0:
            raise ValueError(f"SyntheticFaces: expected count >= 1, size >= 16, seed >= 0, got {count}, {size}, {seed}")
        if jaw not in ("3d", "2d"):
            raise ValueError(f"SyntheticFaces jaw: expected '3d' or '2d', got {jaw!r}")
        self.jaw = jaw
        self.face = builtin_face() if face is None else face
        self.count, self.size, self.seed = count, size, seed
        self.ranges = replace(ranges or SceneRanges(), yaw=(float(yaw[0]), float(yaw[1])))
        self.camera = camera
        self._progress = progress
        spec = {
            "images": ((count, size, size, 3), "uint8"),
            "landmarks": ((count, 68, 3), "float32"),
            "contour": ((count, 17, 2), "float32"),
            "visible": ((count, 68), "bool"),
            "pose": ((count, 3), "float32"),
            "camera": ((count, 3, 4), "float32"),
            "identity": ((count, len(self.face.identity_std)), "float32"),
            "expression": ((count, len(self.face.expression_std)), "float32"),
            "style": ((count, len(self.face.style_names)), "float32"),
        }
        self._arrays = cached_arrays(self._arguments(), spec, self._render, Path(folder or cache_folder()))

    def _arguments(self) -> dict[str, object]:
        return {
            "what": type(self).__name__,
            "code": _code_fingerprint(),
            "count": self.count,
            "size": self.size,
            "seed": self.seed,
            "face": _fingerprint(self.face),
            "ranges": asdict(self.ranges),
            "camera": None if self.camera is None else asdict(self.camera),
        }

    def _render(self, arrays: Arrays) -> None:
        bar = tqdm(total=self.count, desc="rendering faces", disable=not self._progress, unit="face", leave=False)
        chunk = self._chunk
        for start in range(0, self.count, chunk):
            # Always a whole chunk, also at the end: the first faces of a longer set are those of a shorter one.
            generator = seeded(self.seed, start // chunk)
            scene = self._scenes(start // chunk, generator)
            picture = photographed(render_scene(self.face, scene), self.camera, generator)
            drawn = {
                "images": (picture.image * 255).round().byte().permute(0, 2, 3, 1),
                "landmarks": picture.landmarks,
                "contour": picture.contour,
                "visible": picture.visible,
                "pose": scene.pose,
                "camera": scene.camera.matrix(),
                "identity": scene.identity,
                "expression": scene.expression,
                "style": scene.style,
            }
            kept = min(chunk, self.count - start)
            for name, values in drawn.items():
                arrays[name][start : start + kept] = values[:kept].numpy()
            bar.update(kept)
        bar.close()

    def _scenes(self, chunk: int, generator: torch.Generator) -> Scene:
        """What is drawn together, ``_chunk`` pictures."""
        return sample_scene(self.face, self._chunk, self.size, self.ranges, generator)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> FaceSample:
        if not -self.count <= index < self.count:
            raise IndexError(f"face {index}: expected an index below {self.count}")
        landmarks = self._row("landmarks", index)
        if self.jaw == "2d":
            landmarks[:JAW, :2] = self._row("contour", index)
        camera, identity, expression = (self._row(name, index)[None] for name in ("camera", "identity", "expression"))
        return FaceSample(
            image=self._row("images", index).permute(2, 0, 1).float() / 255,
            landmarks=landmarks,
            visible=self._row("visible", index),
            box=landmark_box(landmarks),
            pose=self._row("pose", index),
            parameters=pack(camera, identity, expression)[0],
            name=f"synthetic-{self.seed}-{index % self.count}",
            markup="68",
        )

    def _row(self, name: str, index: int) -> Tensor:
        return torch.from_numpy(np.array(self._arrays[name][index]))

    @property
    def landmarks(self) -> Tensor:
        """All landmarks, ``(count, 68, 3)`` pixels."""
        landmarks = torch.from_numpy(np.array(self._arrays["landmarks"]))
        if self.jaw == "2d":
            landmarks[:, :JAW, :2] = self.contours
        return landmarks

    @property
    def contours(self) -> Tensor:
        """All jaws by the rule of the visible outline, ``(count, 17, 2)`` pixels."""
        return torch.from_numpy(np.array(self._arrays["contour"]))

    @property
    def poses(self) -> Tensor:
        """All poses, ``(count, 3)`` radians."""
        return torch.from_numpy(np.array(self._arrays["pose"]))

    def vertices(self, indices: Sequence[int]) -> Tensor:
        """The meshes behind some faces, ``(B, V, 3)`` image pixels, exactly as they were rendered."""
        rows = list(indices)
        identity, expression, style, camera = (
            torch.from_numpy(np.array(self._arrays[name][rows]))
            for name in ("identity", "expression", "style", "camera")
        )
        return (
            self.face.vertices(identity, expression, style) @ camera[:, :, :3].transpose(1, 2) + camera[:, None, :, 3]
        )


def photographed(picture: Picture, camera: Augmentation | None, generator: torch.Generator) -> Picture:
    """Pictures as a camera stores them: with things in front of the face, blur, noise, JPEG; none leaves them alone."""
    if camera is None:
        return picture
    image, covered = camera.occluded(picture.image, picture.landmarks, generator)
    visible = picture.visible & ~covered_at(covered, picture.landmarks)
    return picture._replace(image=camera.photometry(image, generator).clamp(0, 1), visible=visible)


def seeded(*numbers: int) -> torch.Generator:
    """A generator on the CPU that depends on these whole numbers alone."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def _fingerprint(face: MorphableModel) -> str:
    digest = hashlib.sha256(face.name.encode())
    for name, value in sorted(vars(face).items()):
        for tensor in value.values() if isinstance(value, dict) else [value]:
            if isinstance(tensor, Tensor):
                digest.update(name.encode() + np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    return digest.hexdigest()[:16]


@cache
def _code_fingerprint() -> str:
    """Hash of the code that draws: pictures of an older renderer are never read back as those of a newer one."""
    package = Path(__file__).parents[2]
    rooms = ("geometry/*.py", "face3d/*.py", "data/synthetic/*.py", "data/occluder*.py", "data/photometry.py",
             "data/augmentation.py", "data/colours.py", "data/draws.py")  # fmt: skip
    sources = sorted(path for room in rooms for path in package.glob(room))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
