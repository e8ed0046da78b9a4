"""Crops and augmentation: landmarks and pixels by one map, and the way back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facelab.data import Augmentation, FaceSample, crop_faces, crop_window, landmark_box


def _batch(count: int = 6, side: int = 80) -> FaceSample:
    """Pictures with one bright spot at landmark 36 and a dim one at its mirror partner 45."""
    generator = torch.Generator().manual_seed(0)
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
                visible=torch.ones(68, dtype=torch.bool),
                box=landmark_box(landmarks),
                pose=torch.zeros(3),
                parameters=torch.zeros(62),
                name=f"spot-{index}",
                markup="68",
            )
        )
    return FaceSample.stack(samples)


def _brightest(images: torch.Tensor) -> torch.Tensor:
    flat = images[:, 0].flatten(1).argmax(1)
    return torch.stack([flat % images.shape[3], flat // images.shape[3]], 1).float()


def _plain(**changes: float) -> Augmentation:
    """Geometry only."""
    return Augmentation(gain=(1, 1), grey=0, gamma=0, blur=0, noise=0, occlusion=0, **changes)


@pytest.mark.parametrize("rule", ["tight", "fan"])
def test_landmarks_stay_on_their_pixels_and_come_back(rule: str) -> None:
    batch = _batch()
    crop = crop_faces(batch, 96, rule)
    assert float((_brightest(crop.image) - crop.landmarks[:, 36, :2]).abs().max()) < 1.0
    torch.testing.assert_close(
        crop.affine.inverse().apply(crop.landmarks[..., :2]), batch.landmarks[..., :2], atol=1e-3, rtol=0
    )


def test_a_mirrored_face_keeps_the_order_of_its_landmarks() -> None:
    """The bright spot is the right eye's corner before; in the mirror the point on the image left is landmark 36."""
    crop = crop_faces(_batch(), 96, "fan", _plain(mirror=1.0, rotation=0.0), torch.Generator().manual_seed(1))
    assert bool((torch.det(crop.affine.matrix[:, :, :2]) < 0).all())
    assert float((_brightest(crop.image) - crop.landmarks[:, 45, :2]).abs().max()) < 1.0


@pytest.mark.parametrize("seed", range(3))
def test_augmented_landmarks_stay_on_their_pixels(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    crop = crop_faces(_batch(), 128, "fan", _plain(), generator)
    mirrored = torch.det(crop.affine.matrix[:, :, :2]) < 0
    spot = torch.where(mirrored[:, None], crop.landmarks[:, 45, :2], crop.landmarks[:, 36, :2])
    assert float((_brightest(crop.image) - spot).abs().max()) < 1.2


def test_rules_by_hand() -> None:
    box = torch.tensor([[10.0, 20.0, 50.0, 100.0]])
    centre, side = crop_window(box, "tight")
    assert centre.tolist() == [[30.0, 60.0]] and float(side) == pytest.approx(1.4 * 80)
    centre, side = crop_window(box, "fan")
    assert centre[0].tolist() == pytest.approx([30.0, 60.0 - 0.12 * 80]) and float(side) == pytest.approx(
        200 * 120 / 195
    )


@given(seed=st.integers(0, 10_000))
def test_photometry_stays_a_picture(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(4, 3, 24, 24, generator=generator)
    changed = Augmentation(occlusion=1.0).photometry(images, generator)
    assert changed.shape == images.shape and float(changed.min()) >= 0 and float(changed.max()) <= 1
    again = torch.Generator().manual_seed(seed)
    torch.rand(4, 3, 24, 24, generator=again)
    assert torch.equal(Augmentation(occlusion=1.0).photometry(images, again), changed)


def test_nothing_to_change_changes_nothing() -> None:
    images = torch.rand(4, 3, 24, 24)
    torch.testing.assert_close(_plain().photometry(images, torch.Generator().manual_seed(0)), images)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="crop rule: expected one of tight, fan, got 'wide'"):
        crop_faces(_batch(), 64, "wide")
    with pytest.raises(ValueError, match="x0 < x1"):
        crop_window(torch.tensor([[10.0, 10, 10, 20]]))
    with pytest.raises(ValueError, match="needs a generator"):
        crop_faces(_batch(), 64, "fan", Augmentation())
    with pytest.raises(ValueError, match="at least one sample"):
        FaceSample.stack([])
