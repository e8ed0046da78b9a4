"""Faces with both jaws: what is cropped, mirrored and stacked stays on the face."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facelab.data import Augmentation, FaceSample, LiveFaces, SyntheticFaces, landmark_box
from facelab.face3d.contour import JAW
from facelab.markups import markup
from facelab.recipes.outlined import LiveOutlined, Outlined, OutlinedFaces, crop_outlined

SIZE = 64
PARTNER = list(markup("68").mirror)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> SyntheticFaces:
    return SyntheticFaces(8, 48, seed=5, camera=None, folder=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def batch(faces: SyntheticFaces) -> Outlined:
    there = OutlinedFaces(faces)
    return Outlined.stack([there[index] for index in range(len(there))])


def _mirrored(batch: Outlined) -> Outlined:
    """The batch as a mirror shows it, put together by hand."""
    last = batch.faces.image.shape[3] - 1

    def turned(points: Tensor) -> Tensor:
        return torch.cat([last - points[..., :1], points[..., 1:]], -1)

    landmarks = turned(batch.faces.landmarks)[:, PARTNER]
    mirror = replace(batch.faces, image=batch.faces.image.flip(3), landmarks=landmarks, box=landmark_box(landmarks))
    return Outlined(mirror, turned(batch.outline).flip(1))


def test_both_jaws_stand_beside_each_other(faces: SyntheticFaces, batch: Outlined) -> None:
    points = batch.landmarks_2d()
    assert points.shape == (8, 68, 2) and torch.equal(points[:, :JAW], faces.contours)
    assert torch.equal(points[:, JAW:], faces.landmarks[:, JAW:, :2])
    assert torch.equal(batch.faces.landmarks, faces.landmarks) and len(OutlinedFaces(faces)) == 8
    assert float((points - faces.landmarks[..., :2])[:, :JAW].norm(dim=2).max()) > 1


def test_without_augmentation_both_jaws_follow_the_crop(batch: Outlined) -> None:
    crop, points = crop_outlined(batch, SIZE, "tight", None, None)
    torch.testing.assert_close(crop.affine.inverse().apply(points), batch.landmarks_2d(), atol=1e-3, rtol=0)
    torch.testing.assert_close(points[:, JAW:], crop.landmarks[:, JAW:, :2])


def test_a_mirrored_crop_is_the_crop_of_the_mirrored_picture(batch: Outlined) -> None:
    turned = Augmentation(mirror=1.0)
    crop, points = crop_outlined(batch, SIZE, "tight", turned, torch.Generator().manual_seed(0))
    expected, there = crop_outlined(_mirrored(batch), SIZE, "tight", None, None)
    assert bool(crop.mirrored.all())
    torch.testing.assert_close(crop.image, expected.image, atol=1e-4, rtol=0)
    torch.testing.assert_close(crop.landmarks, expected.landmarks, atol=1e-3, rtol=0)
    torch.testing.assert_close(points, there, atol=1e-3, rtol=0)


def test_augmented_outlines_come_back_in_the_order_of_the_mark_up(batch: Outlined) -> None:
    change = Augmentation(rotation=70, scale=(0.7, 1.3), shift=0.1, mirror=0.5)
    crop, points = crop_outlined(batch, SIZE, "tight", change, torch.Generator().manual_seed(1))
    assert 0 < int(crop.mirrored.sum()) < 8
    known = batch.landmarks_2d()
    expected = torch.where(crop.mirrored[:, None, None], known[:, PARTNER], known)
    torch.testing.assert_close(crop.affine.inverse().apply(points), expected, atol=1e-3, rtol=0)


def test_live_faces_have_their_outlines_too() -> None:
    live = LiveFaces(100, 32, camera=None)
    batch = LiveOutlined(live).draw(3, torch.Generator().manual_seed(2))
    faces, outline = live.draw_with_outline(3, torch.Generator().manual_seed(2))
    assert len(LiveOutlined(live)) == 100 and isinstance(batch.faces, FaceSample)
    assert torch.equal(batch.outline, outline) and torch.equal(batch.faces.landmarks, faces.landmarks)


def test_a_batch_moves_whole(batch: Outlined) -> None:
    moved = batch.to("meta")
    assert moved.outline.is_meta and moved.faces.image.is_meta and moved.faces.name == batch.faces.name
