"""Occluders: they cover what they say, change nothing else much, and come out the same again."""

from itertools import combinations

import pytest
import torch
from torch import Tensor

from facelab.data.occluder_shapes import capsule, hull, rounded_box
from facelab.data.occluders import OCCLUDERS, occlude


def _flat(count: int = 12, size: int = 48, value: float = 0.6) -> Tensor:
    return torch.full((count, 3, size, size), value)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _face(count: int, size: int) -> Tensor:
    """An upright oval of a jaw with a nose; the other landmarks in between."""
    points = torch.zeros(68, 2)
    angle = torch.linspace(torch.pi * 1.03, -0.03 * torch.pi, 17)
    points[:17] = torch.stack([0.8 * angle.cos(), 1.1 * angle.sin()], 1)
    points[27:31] = torch.stack([torch.zeros(4), torch.linspace(-0.3, 0.25, 4)], 1)
    points[31:36] = torch.stack([torch.linspace(-0.2, 0.2, 5), torch.full((5,), 0.35)], 1)
    points[48:] = torch.tensor([0.0, 0.65])
    points[17:27] = torch.stack([torch.linspace(-0.7, 0.7, 10), torch.full((10,), -0.6)], 1)
    return (points * 0.36 * size + size / 2).expand(count, -1, -1).clone()


@pytest.mark.parametrize("kind", OCCLUDERS)
@pytest.mark.parametrize("with_landmarks", [True, False])
def test_every_kind_covers_part_of_the_face(kind: str, with_landmarks: bool) -> None:
    images = _flat()
    landmarks = _face(12, 48) if with_landmarks else None
    changed, covered = occlude(images, landmarks, _generator(3), 1.0, (kind,))
    assert float(changed.min()) >= 0 and float(changed.max()) <= 1 and not changed.isnan().any()
    assert covered.dtype == torch.bool and covered.shape == (12, 48, 48)
    share = covered.float().mean((1, 2))
    assert float(share.max()) > 0.02 and float(share.mean()) < 0.7
    assert float((share > 0).float().mean()) > 0.5
    looks = [changed[a] for a, b in combinations(range(12), 2) if torch.equal(changed[a], changed[b])]
    assert not looks or float(share.min()) == 0  # two alike only where nothing is in the picture


@pytest.mark.parametrize("kind", ["bar", "phone", "paper", "cutout"])
def test_what_is_not_covered_is_shaded_at_most(kind: str) -> None:
    images = _flat()
    changed, covered = occlude(images, None, _generator(1), 1.0, (kind,))
    grown = torch.nn.functional.max_pool2d(covered.float()[:, None], 5, 1, 2)[:, 0] > 0
    beside = ~grown[:, None].expand_as(changed)
    assert bool((changed[beside] <= images[beside] + 1e-6).all())
    assert bool((changed[beside] >= 0.6 * images[beside]).all())


def test_probability_and_kinds() -> None:
    images = _flat(400, 16)
    changed, covered = occlude(images, None, _generator(), 0.4, ("mask",))
    share = float(covered.flatten(1).any(1).float().mean())
    assert 0.33 < share < 0.47  # three standard deviations
    untouched = ~covered.flatten(1).any(1)
    assert torch.equal(changed[untouched], images[untouched])
    same, none = occlude(images, None, _generator(), 0.0)
    assert torch.equal(same, images) and not none.any()
    assert occlude(images[:0], None, _generator())[0].shape == (0, 3, 16, 16)


def test_the_same_seed_the_same_picture_and_each_face_alone() -> None:
    images = torch.rand(30, 3, 32, 32, generator=_generator(9))
    before = images.clone()
    first, covered = occlude(images, None, _generator(5), 0.8)
    assert torch.equal(images, before)
    again, same = occlude(images, None, _generator(5), 0.8)
    assert torch.equal(first, again) and torch.equal(covered, same)
    assert not torch.equal(first, occlude(images, None, _generator(6), 0.8)[0])
    others = images.clone()
    others[1:] = 0
    assert torch.equal(occlude(others, None, _generator(5), 0.8)[0][0], first[0])


def test_a_mask_covers_mouth_and_chin_but_not_the_brows() -> None:
    landmarks = _face(8, 96)
    landmarks[1] += torch.tensor([6.0, -4.0])
    covered = occlude(_flat(8, 96), landmarks, _generator(), 1.0, ("mask",))[1]
    place = landmarks.round().long()
    hit = covered[torch.arange(8)[:, None], place[..., 1].clamp(0, 95), place[..., 0].clamp(0, 95)]
    assert bool(hit[:, 48:].all()) and bool(hit[:, 8].all()) and not bool(hit[:, 17:27].any())


def test_missing_landmarks_are_no_obstacle() -> None:
    landmarks = _face(8, 48)
    landmarks[0], landmarks[1, 5] = torch.nan, torch.nan
    for kind in OCCLUDERS:
        changed, _ = occlude(_flat(8), landmarks, _generator(), 1.0, (kind,))
        assert not changed.isnan().any()
    _, covered = occlude(_flat(8), landmarks, _generator(), 1.0, ("mask",))
    assert bool(covered.flatten(1).any(1).all())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", OCCLUDERS)
def test_the_same_on_cuda(kind: str) -> None:
    images, landmarks = _flat(), _face(12, 48)
    here, covered = occlude(images, landmarks, _generator(), 1.0, (kind,))
    there, marked = occlude(images.cuda(), landmarks.cuda(), _generator(), 1.0, (kind,))
    assert there.is_cuda and float((marked.cpu() != covered).float().mean()) < 0.002
    assert float((there.cpu() - here).abs().mean()) < 2e-3


def test_shapes_by_hand() -> None:
    grid = torch.tensor([[[[0.0, 3.0, 5.0]], [[0.0, 0.0, 4.0]]]])  # three points: (0, 0), (3, 0), (5, 4)
    ends = torch.tensor([[[0.0, 0.0], [2.0, 0.0]]])
    distance, along, offset = capsule(grid, ends, torch.tensor([[0.5, 0.5]]))
    assert distance[0, 0].tolist() == pytest.approx([-0.5, 0.5, 4.5]) and along[0, 0].tolist() == [0, 1, 1]
    assert offset[0, :, 0, 2].tolist() == pytest.approx([6.0, 8.0])  # (3, 4) in radii of 0.5
    box = rounded_box(grid, torch.tensor([[2.0, 1.0]]), 0.0)
    assert box[0, 0].tolist() == pytest.approx([-1.0, 1.0, 18**0.5])
    square = torch.tensor([[[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [torch.nan, 9.0]]])
    assert hull(grid, square)[0, 0, :2].tolist() == pytest.approx([-1.0, 2.0], abs=1e-5)


def test_bad_input_is_named() -> None:
    images = _flat(2)
    with pytest.raises(ValueError, match="kinds: expected some of hand, bar,.* got umbrella"):
        occlude(images, None, _generator(), kinds=("umbrella",))
    with pytest.raises(ValueError, match="kinds: expected some of .* got none"):
        occlude(images, None, _generator(), kinds=())
    with pytest.raises(ValueError, match=r"probability: expected a number in \[0, 1\], got 2"):
        occlude(images, None, _generator(), 2)
    with pytest.raises(ValueError, match=r"images: expected floating-point \(B, 3, H, W\)"):
        occlude(images[0], None, _generator())
    with pytest.raises(ValueError, match=r"landmarks: expected \(2, 68\) x 2 or 3 for '68', got \(1, 68, 2\)"):
        occlude(images, _face(1, 48), _generator())
