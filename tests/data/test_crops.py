"""Crops and augmentation: landmarks, pixels, pose and camera by one map, and the way back."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import scipy.io
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from facelab.data import (
    Augmentation,
    FaceSample,
    box_side,
    crop_faces,
    crop_window,
    decode_heatmaps,
    encode_heatmaps,
    inexact_boxes,
    landmark_box,
    to_heatmap_pixels,
    to_picture_pixels,
)
from facelab.data.crops import CROPS, moved_parameters, turned_pose
from facelab.geometry import Affine, WeakPerspective, rotation_matrix
from facelab.markups import markup

TURNING = Augmentation(rotation=50, scale=(0.8, 1.2), shift=0.05, mirror=0.5)
BOX_RULES = sorted(set(CROPS) - {"300w-lp"})  # the others depend on the box


def _batch(count: int = 6, side: int = 80, seed: int = 0) -> FaceSample:
    """Pictures with one bright spot at landmark 36 and a dim one at its mirror partner 45; heads of random pose."""
    generator = torch.Generator().manual_seed(seed)
    samples = []
    for index in range(count):
        landmarks = 20 + 40 * torch.rand(68, 3, generator=generator)
        landmarks[36, :2], landmarks[45, :2] = torch.tensor([30.0, 41.0]), torch.tensor([49.0, 38.0])
        rows, columns = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
        image = sum(
            peak * torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
            for peak, (x, y) in ((1.0, landmarks[36, :2].tolist()), (0.5, landmarks[45, :2].tolist()))
        )
        samples.append(
            FaceSample(
                image=torch.as_tensor(image).clamp(0, 1).expand(3, -1, -1).contiguous(),
                landmarks=landmarks,
                visible=torch.rand(68, generator=generator) < 0.7,
                box=landmark_box(landmarks),
                pose=torch.rand(3, generator=generator) - 0.5,
                parameters=torch.rand(62, generator=generator),
                name=f"spot-{index}",
                markup="68",
            )
        )
    return FaceSample.stack(samples)


def _brightest(images: Tensor) -> Tensor:
    """The top of the brightest spot, between pixels."""
    return decode_heatmaps(images[:, :1])[:, 0]


@pytest.mark.parametrize("rule", BOX_RULES)
def test_landmarks_stay_on_their_pixels_and_come_back(rule: str) -> None:
    batch = _batch()
    crop = crop_faces(batch, 96, rule)
    assert float((_brightest(crop.image) - crop.landmarks[:, 36, :2]).abs().max()) < 0.35
    torch.testing.assert_close(
        crop.affine.inverse().apply(crop.landmarks[..., :2]), batch.landmarks[..., :2], atol=1e-3, rtol=0
    )
    assert torch.equal(crop.visible, batch.visible) and torch.equal(crop.pose, batch.pose) and not crop.mirrored.any()


def test_a_mirrored_face_keeps_the_order_of_its_landmarks() -> None:
    """The bright spot is the right eye's corner before; in the mirror the point on the image left is landmark 36."""
    batch = _batch()
    crop = crop_faces(batch, 96, "fan", Augmentation(mirror=1.0), torch.Generator().manual_seed(1))
    assert bool((torch.det(crop.affine.matrix[:, :, :2]) < 0).all()) and bool(crop.mirrored.all())
    assert float((_brightest(crop.image) - crop.landmarks[:, 45, :2]).abs().max()) < 0.35
    partner = list(markup("68").mirror)
    assert torch.equal(crop.visible, batch.visible[:, partner])
    torch.testing.assert_close(crop.pose, batch.pose * torch.tensor([1.0, -1, -1]), atol=1e-5, rtol=0)
    assert crop.parameters.isnan().all()


@given(seed=st.integers(0, 10_000))
def test_augmented_landmarks_stay_on_their_pixels_and_come_back(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    batch = _batch(seed=seed)
    crop = crop_faces(batch, 128, "fan", TURNING, generator)
    partner = list(markup("68").mirror)
    order = torch.where(crop.mirrored[:, None, None], crop.landmarks[:, partner], crop.landmarks)
    assert float((_brightest(crop.image) - order[:, 36, :2]).abs().max()) < 0.35
    torch.testing.assert_close(crop.affine.inverse().apply(order), batch.landmarks, atol=1e-3, rtol=0)


@given(seed=st.integers(0, 10_000), size=st.sampled_from([64, 96, 128]), rule=st.sampled_from(BOX_RULES))
def test_encoded_cropped_decoded_and_brought_back(seed: int, size: int, rule: str) -> None:
    """Picture, crop, heatmap, and the same way back: every landmark that the crop shows is where it was."""
    batch = _batch(3, seed=seed)
    crop = crop_faces(batch, size, rule, TURNING, torch.Generator().manual_seed(seed))
    points, side = to_heatmap_pixels(crop.landmarks[..., :2], 4), size // 4
    shown = ((points > 2) & (points < side - 3)).all(2)
    decoded = to_picture_pixels(decode_heatmaps(encode_heatmaps(points, side, side)), 4)
    back = crop.affine.inverse().apply(decoded)
    partner = list(markup("68").mirror)
    expected = torch.where(crop.mirrored[:, None, None], batch.landmarks[:, partner], batch.landmarks)[..., :2]
    assert bool(shown.any())
    torch.testing.assert_close(back[shown], expected[shown], atol=0.02, rtol=0)


@given(seed=st.integers(0, 10_000))
def test_mirrored_twice_is_as_before(seed: int) -> None:
    batch = _batch(2, seed=seed)
    mirror = Augmentation(mirror=1.0)
    once = crop_faces(batch, 64, "tight", mirror, torch.Generator())
    whole = torch.tensor([[-0.5, -0.5, 63.5, 63.5]]).expand(2, -1) / torch.tensor(1.3) + 31.5 * (1 - 1 / 1.3)
    again = replace(batch, image=once.image, landmarks=once.landmarks, visible=once.visible, pose=once.pose, box=whole)
    twice, plain = crop_faces(again, 64, "snug", mirror, torch.Generator()), crop_faces(batch, 64, "tight")
    torch.testing.assert_close(twice.image, plain.image, atol=1e-4, rtol=0)
    torch.testing.assert_close(twice.landmarks, plain.landmarks, atol=1e-3, rtol=0)
    torch.testing.assert_close(twice.pose, plain.pose, atol=1e-5, rtol=0)
    assert torch.equal(twice.visible, plain.visible)


@given(seed=st.integers(0, 10_000))
def test_pose_and_camera_turn_with_the_picture(seed: int) -> None:
    """Points of a head under its camera, moved by the affine, are those under the moved camera and pose."""
    generator = torch.Generator().manual_seed(seed)
    draw = torch.rand(9, 4, generator=generator)
    pose = (draw[:3].T - 0.5) * torch.tensor([1.2, 2.8, 1.2])
    head = torch.randn(4, 20, 3, generator=generator)
    camera = WeakPerspective(5 + 10 * draw[3], rotation_matrix(*pose.unbind(1)), 30 * draw[4:6].T)
    mirrored = draw[8] < 0.5
    affine = Affine.about(30 * draw[6:8].T, 3 * draw[3] - 1.5, 0.5 + draw[4], 9 * draw[5:7].T, mirrored)
    expected = affine.apply(camera.project(head))
    parameters = torch.cat([camera.matrix().flatten(1), draw.new_zeros(4, 50)], 1)
    moved = moved_parameters(parameters, affine)[:, :12].reshape(4, 3, 4)
    torch.testing.assert_close(head @ moved[..., :3].mT + moved[:, None, :, 3], expected, atol=1e-3, rtol=0)
    turned = rotation_matrix(*turned_pose(pose, affine).unbind(1))
    seen = torch.where(mirrored[:, None, None], head * torch.tensor([-1.0, 1, 1]), head)  # a mirrored head
    scale = camera.scale * affine.scale()
    flat = WeakPerspective(scale, turned, moved[:, :2, 3]).project(seen)
    torch.testing.assert_close(flat, expected, atol=2e-3, rtol=0)


def test_unknown_pose_parameters_and_landmarks_stay_unknown() -> None:
    batch = _batch()
    landmarks = batch.landmarks.clone()
    landmarks[0, 40] = torch.nan
    unknown = replace(
        batch, landmarks=landmarks, pose=torch.full((6, 3), torch.nan), parameters=torch.full((6, 62), torch.nan)
    )
    change = replace(TURNING, mirror=0.0, occlusion=1.0)
    crop = crop_faces(unknown, 64, "tight", change, torch.Generator().manual_seed(0))
    assert crop.pose.isnan().all() and crop.parameters.isnan().all() and crop.image.isfinite().all()
    assert crop.landmarks[0, 40].isnan().all() and int(crop.landmarks.isnan().sum()) == 3


def test_what_is_covered_is_not_visible() -> None:
    batch = replace(_batch(20), visible=torch.ones(20, 68, dtype=torch.bool))
    change = Augmentation(occlusion=0.8, occluders=("mask", "phone"))
    crop = crop_faces(batch, 64, "tight", change, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    change.geometry(64, 20, generator)  # the same numbers are drawn first in a crop
    plain = crop_faces(batch, 64, "tight")
    _, covered = change.occluded(plain.image, plain.landmarks, generator)
    column, row = plain.landmarks.round().long().unbind(2)[:2]
    hidden = covered[torch.arange(20)[:, None], row, column]
    assert torch.equal(crop.visible, ~hidden) and 0.1 < float(hidden.float().mean()) < 0.9


def test_rules_by_hand() -> None:
    box = torch.tensor([[10.0, 20.0, 50.0, 100.0]])  # 40 x 80 about (30, 60)
    expected = {
        "tight": (60.0, 1.4 * 80),
        "snug": (60.0, 1.3 * 80),
        "two_stage": (60.0, 1.225 * 80),
        "fan": (60.0 - 0.12 * 80, 200 * 120 / 195),
        "3ddfa": (60.0, 2**0.5 * 80),
        "3ddfa-detector": (60.0 + 0.14 * 60, 1.58 * 60),
    }
    assert expected.keys() == set(BOX_RULES)
    for rule, (row, length) in expected.items():
        centre, side = crop_window(box, rule)
        assert centre[0].tolist() == pytest.approx([30.0, row]) and float(side) == pytest.approx(length)
    centre, side = crop_window(box, "300w-lp")
    assert centre.tolist() == [[224.0, 274.0]] and side.tolist() == [360.0]


def test_the_window_of_fans_training_code_fits_its_data(real_data: Path) -> None:
    """The labels of 300W-LP lie inside its fixed window."""
    labels = sorted((real_data / "real" / "300W_LP").rglob("*.mat"))
    if not labels:
        pytest.skip("no label of 300W-LP")
    for label in labels:
        points = torch.from_numpy(scipy.io.loadmat(label)["pt2d"].T).float() - 1
        placed = Affine.crop(*crop_window(landmark_box(points)[None], "300w-lp"), 256).apply(points[None])
        assert float(placed.min()) > 0 and float(placed.max()) < 255


@pytest.mark.parametrize(("rule", "times"), [("tight", 1.4), ("fan", 400 / 195), ("two_stage", 1.225)])
def test_a_square_box_takes_its_share_of_the_crop(rule: str, times: float) -> None:
    assert box_side(rule, 280) == pytest.approx(280 / times)


def test_inexact_boxes_keep_to_their_ranges_and_fill_them() -> None:
    box = torch.tensor([[10.0, 20.0, 50.0, 100.0]]).expand(4000, -1)  # 40 x 80 about (30, 60)
    given = inexact_boxes(box, torch.Generator().manual_seed(0), shift=0.3, scale=0.2)
    moved = (given[:, :2] + given[:, 2:]) / 2 - torch.tensor([30.0, 60.0])
    for axis in moved.unbind(1):  # of the longer side along both axes
        assert -24.01 <= float(axis.min()) < -23.5 and 23.5 < float(axis.max()) <= 24.01
        assert float(axis.std()) == pytest.approx(48 / math.sqrt(12), rel=0.03)
    width, height = (given[:, 2:] - given[:, :2]).unbind(1)
    torch.testing.assert_close(height, 2 * width, atol=1e-3, rtol=0)
    assert 0.799 <= float(width.min()) / 40 < 0.805 and 1.195 < float(width.max()) / 40 <= 1.201
    correlation = torch.corrcoef(torch.stack([*moved.unbind(1), width]))
    assert float((correlation - torch.eye(3)).abs().max()) < 0.06


def test_exact_boxes_stay_and_each_noise_comes_alone() -> None:
    box = torch.tensor([[10.0, 20.0, 50.0, 100.0], [1.0, 2.0, 3.0, 4.0]])
    generator = torch.Generator().manual_seed(0)
    torch.testing.assert_close(inexact_boxes(box, generator), box)
    moved, zoomed = inexact_boxes(box, generator, shift=0.1), inexact_boxes(box, generator, scale=0.1)
    extent = box[:, 2:] - box[:, :2]
    torch.testing.assert_close(moved[:, 2:] - moved[:, :2], extent)
    torch.testing.assert_close(zoomed[:, :2] + zoomed[:, 2:], box[:, :2] + box[:, 2:])
    assert not torch.allclose(moved, box) and not torch.allclose(zoomed, box)
    again = [inexact_boxes(box, torch.Generator().manual_seed(7), 0.2, 0.2) for _ in range(2)]
    assert torch.equal(*again)


@pytest.mark.parametrize(("shift", "scale"), [(-0.1, 0.0), (0.0, -0.1), (0.0, 1.0)])
def test_inexact_boxes_are_still_boxes(shift: float, scale: float) -> None:
    with pytest.raises(ValueError, match=f"expected shift >= 0 and 0 <= scale < 1, got {shift} and {scale}"):
        inexact_boxes(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.Generator(), shift, scale)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="crop rule: expected one of tight, snug, .* got 'wide'"):
        crop_faces(_batch(), 64, "wide")
    with pytest.raises(ValueError, match="x0 < x1"):
        crop_window(torch.tensor([[10.0, 10, 10, 20]]))
    with pytest.raises(ValueError, match="box: expected .* finite"):
        crop_window(torch.tensor([[10.0, 10, torch.nan, 20]]))
    with pytest.raises(ValueError, match="needs a generator"):
        crop_faces(_batch(), 64, "fan", Augmentation())
    with pytest.raises(ValueError, match="at least one sample"):
        FaceSample.stack([])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_same_on_cuda() -> None:
    batch = _batch()
    fields = ("image", "landmarks", "visible", "box", "pose", "parameters")
    there = replace(batch, **{name: getattr(batch, name).cuda() for name in fields})
    change = replace(TURNING, occlusion=0.5)
    a = crop_faces(batch, 64, "fan", change, torch.Generator().manual_seed(0))
    b = crop_faces(there, 64, "fan", change, torch.Generator().manual_seed(0))
    assert b.image.is_cuda and b.landmarks.is_cuda
    torch.testing.assert_close(b.landmarks.cpu(), a.landmarks, atol=1e-3, rtol=0)
    assert float((b.image.cpu() - a.image).abs().mean()) < 2e-3
