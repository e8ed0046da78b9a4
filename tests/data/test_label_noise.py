"""Labels of limited accuracy: as much noise as asked for, always the same for a face."""

import math

import pytest
import torch
from torch import Tensor

from facelab.data import FaceSample, LiveFaces, ShakenLabels, shaken_landmarks
from facelab.metrics import nme


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def faces() -> list[FaceSample]:
    batch = LiveFaces(8, 32, camera=None).draw(4, _generator())
    fields = ("image", "landmarks", "visible", "box", "pose", "parameters")
    return [
        FaceSample(**{field: getattr(batch, field)[index] for field in fields}, name=batch.name[index], markup="68")
        for index in range(4)
    ]


def _points(count: int, depth: int = 3) -> tuple[Tensor, Tensor]:
    """Landmarks, and boxes of 50 x 200 pixels: their root area is 100."""
    box = torch.tensor([[10.0, 20.0, 60.0, 220.0]]).expand(count, -1)
    return 100 * torch.rand(count, 68, depth, generator=_generator(1)), box


def test_the_noise_is_a_share_of_the_box() -> None:
    landmarks, box = _points(400)
    before = landmarks.clone()
    shaken = shaken_landmarks(landmarks, box, 0.03, _generator())
    assert torch.equal(landmarks, before) and torch.equal(shaken[..., 2], landmarks[..., 2])
    noise = (shaken - landmarks)[..., :2]
    assert noise.std((0, 1)).tolist() == pytest.approx([3.0, 3.0], rel=0.02)
    assert noise.mean((0, 1)).tolist() == pytest.approx([0.0, 0.0], abs=0.1)
    assert abs(float((noise[..., 0] * noise[..., 1]).mean())) < 0.15  # x and y are independent
    assert float(noise.norm(dim=2).mean()) == pytest.approx(3 * math.sqrt(math.pi / 2), rel=0.02)


def test_larger_boxes_have_larger_noise_in_proportion() -> None:
    landmarks, box = _points(3, depth=2)
    once = shaken_landmarks(landmarks, box, 0.01, _generator()) - landmarks
    tenfold = shaken_landmarks(landmarks, 10 * box, 0.01, _generator()) - landmarks
    torch.testing.assert_close(tenfold, 10 * once, atol=1e-3, rtol=1e-3)


def test_no_noise_is_the_truth_and_less_than_none_is_refused() -> None:
    landmarks, box = _points(2)
    assert torch.equal(shaken_landmarks(landmarks, box, 0.0, _generator()), landmarks)
    with pytest.raises(ValueError, match=r"deviation: expected a share of the box, not negative, got -0\.1"):
        shaken_landmarks(landmarks, box, -0.1, _generator())


def test_a_face_has_the_same_labels_each_time(faces: list[FaceSample]) -> None:
    labels = ShakenLabels(faces, 0.05, seed=3)  # type: ignore[arg-type]
    assert len(labels) == 4
    for index in (2, 0, 2):
        assert torch.equal(labels[index].landmarks, ShakenLabels(faces, 0.05, seed=3)[index].landmarks)  # type: ignore[arg-type]
    assert torch.equal(labels[-1].landmarks, labels[3].landmarks)
    noise = torch.stack([(labels[index].landmarks - faces[index].landmarks)[:, :2].flatten() for index in range(4)])
    assert float((torch.corrcoef(noise) - torch.eye(4)).abs().max()) < 0.4  # each face has its own
    assert not torch.equal(ShakenLabels(faces, 0.05, seed=4)[0].landmarks, labels[0].landmarks)  # type: ignore[arg-type]


def test_only_the_landmarks_are_off(faces: list[FaceSample]) -> None:
    labels = ShakenLabels(faces, 0.05)  # type: ignore[arg-type]
    for index, face in enumerate(faces):
        shaken = labels[index]
        for field in ("image", "visible", "box", "pose", "parameters"):
            assert torch.equal(getattr(shaken, field), getattr(face, field))
        assert (shaken.name, shaken.markup) == (face.name, "68")
    off = nme(
        torch.stack([labels[i].landmarks[:, :2] for i in range(4)]),
        torch.stack([f.landmarks[:, :2] for f in faces]),
        "bbox",
    )
    assert float(off.mean()) == pytest.approx(0.05 * math.sqrt(math.pi / 2), rel=0.1)
