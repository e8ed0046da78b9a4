"""Synthetic faces without a file: drawn when a network asks for them, where it is."""

from dataclasses import replace

import torch
from torch import Tensor

from facelab.data.augmentation import Augmentation
from facelab.data.sample import FaceSample, landmark_box
from facelab.data.synthetic.faces import EVERYDAY, photographed
from facelab.data.synthetic.scene import SceneRanges, render_scene, sample_scene
from facelab.face3d import MorphableModel, builtin_face
from facelab.face3d.contour import JAW
from facelab.face3d.parameters import pack


class LiveFaces:
    """Faces without end: each batch is drawn from a generator, on any device, and no face comes twice.

    The random numbers are drawn on the CPU and the pictures on the device, so that every device sees the same faces.
    On CUDA this is how a network is fed; on the CPU drawing is slow, and :class:`SyntheticFaces` keeps what it drew.

    Args:
        count: faces that are called an epoch. size: side of the pictures in pixels.
        face: the morphable model; the built-in face if not given.
        jaw, ranges, camera: as of :class:`SyntheticFaces`. device: where the pictures are drawn.
    Raises:
        ValueError: on a number out of range.
    """

    def __init__(
        self,
        count: int,
        size: int = 128,
        face: MorphableModel | None = None,
        jaw: str = "3d",
        ranges: SceneRanges | None = None,
        camera: Augmentation | None = EVERYDAY,
        device: torch.device | str = "cpu",
    ) -> None:
        if count < 1 or size < 16:
            raise ValueError(f"LiveFaces: expected count >= 1, size >= 16, got {count}, {size}")
        if jaw not in ("3d", "2d"):
            raise ValueError(f"LiveFaces jaw: expected '3d' or '2d', got {jaw!r}")
        self.count, self.size, self.jaw = count, size, jaw
        self.ranges, self.camera, self.device = ranges or SceneRanges(), camera, torch.device(device)
        self.face = builtin_face() if face is None else face
        self._drawn = self.face.to(self.device)

    def __len__(self) -> int:
        return self.count

    @torch.no_grad()
    def draw(self, count: int, generator: torch.Generator) -> FaceSample:
        """A batch of new faces on the device; the generator is on the CPU."""
        faces, outline = self.draw_with_outline(count, generator)
        if self.jaw == "3d":
            return faces
        slid = torch.cat([outline, faces.landmarks[:, :JAW, 2:]], 2)
        landmarks = torch.cat([slid, faces.landmarks[:, JAW:]], 1)
        return replace(faces, landmarks=landmarks, box=landmark_box(landmarks))

    @torch.no_grad()
    def draw_with_outline(self, count: int, generator: torch.Generator) -> tuple[FaceSample, Tensor]:
        """A batch with the jaw by the 3D rule, whatever ``jaw`` says, and ``(count, 17, 2)`` the jaw by the 2D rule."""
        scene = sample_scene(self.face, count, self.size, self.ranges, generator).to(self.device)
        picture = photographed(render_scene(self._drawn, scene), self.camera, generator)
        faces = FaceSample(
            image=picture.image,
            landmarks=picture.landmarks,
            visible=picture.visible,
            box=landmark_box(picture.landmarks),
            pose=scene.pose,
            parameters=pack(scene.camera.matrix(), scene.identity, scene.expression),
            name=tuple(f"live-{index}" for index in range(count)),
            markup="68",
        )
        return faces, picture.contour
