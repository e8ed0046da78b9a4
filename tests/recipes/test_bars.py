"""A bar in front of a face: which pixels it covers, and how errors by its place are taken."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab.data import FaceSample, SyntheticFaces
from facelab.metrics import nme
from facelab.recipes.bars import DIRECTIONS, PLACES, Bar, errors_by_place, occluded

SIDE = 40

pytestmark = pytest.mark.usefixtures("cached")


@pytest.fixture(scope="module")
def faces(cache: object) -> SyntheticFaces:
    return SyntheticFaces(4, SIDE, seed=3, camera=None, folder=str(cache))


@pytest.fixture(scope="module")
def batch(faces: SyntheticFaces) -> FaceSample:
    return FaceSample.stack(list(faces))


def _box(*numbers: float) -> Tensor:
    return torch.tensor([numbers])


def test_a_bar_by_hand() -> None:
    """A box of 8 by 4 pixels; a quarter of it is one row, or two columns."""
    box = _box(1.5, 2.5, 9.5, 6.5)
    rows = Bar(0.25, "horizontal").covers(box, 0, 10, 12)[0]
    assert rows.nonzero().tolist() == [[3, column] for column in range(2, 10)]
    last = Bar(0.25, "horizontal").covers(box, 1, 10, 12)[0]
    assert last.nonzero().tolist() == [[6, column] for column in range(2, 10)]
    columns = Bar(0.25, "vertical").covers(box, 1 / 3, 10, 12)[0]
    assert columns.nonzero().tolist() == [[row, column] for row in range(3, 7) for column in (4, 5)]
    assert int(Bar(1.0).covers(box, 0.7, 10, 12).sum()) == 8 * 4


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_bars_side_by_side_cover_every_pixel_of_the_box_once(direction: str, batch: FaceSample) -> None:
    bar = Bar(0.2, direction)
    times = torch.stack([bar.covers(batch.box, place / 4, SIDE, SIDE) for place in range(5)]).sum(0)
    assert torch.equal(times > 0, Bar(1.0, direction).covers(batch.box, 0, SIDE, SIDE))
    assert int(times.max()) == 1
    whole = times.sum((1, 2)).double()
    area = (batch.box[:, 2:] - batch.box[:, :2]).prod(1).double()
    torch.testing.assert_close(whole, area, rtol=0.1, atol=0)


def test_a_box_that_leaves_the_picture_is_covered_as_far_as_it_is_seen() -> None:
    covered = Bar(1.0).covers(_box(-5.5, -3.5, 2.5, 1.5), 0, 8, 8)[0]
    assert covered.nonzero().tolist() == [[row, column] for row in (0, 1) for column in (0, 1, 2)]


@pytest.mark.parametrize("fill", ["grey", "noise"])
def test_what_a_bar_covers_is_painted_and_not_visible(fill: str, batch: FaceSample) -> None:
    bar = Bar(0.3, "vertical", fill)
    found = occluded(batch, bar, 0.5, torch.Generator().manual_seed(1))
    covered = bar.covers(batch.box, 0.5, SIDE, SIDE)[:, None].expand(-1, 3, -1, -1)
    assert torch.equal(found.image[~covered], batch.image[~covered])
    painted = found.image[covered]
    if fill == "grey":
        assert bool((painted == 0.5).all())
    else:
        assert float(painted.min()) >= 0 and float(painted.max()) <= 1
        assert float(painted.std()) == pytest.approx(12**-0.5, rel=0.1)
        again = occluded(batch, bar, 0.5, torch.Generator().manual_seed(1))
        assert torch.equal(again.image, found.image)
    columns, rows = batch.landmarks[..., :2].round().long().unbind(2)
    under = covered[torch.arange(4)[:, None], 0, rows, columns]
    assert torch.equal(found.visible, batch.visible & ~under) and bool(under.any()) and not bool(under.all())
    for field in ("landmarks", "box", "pose", "parameters"):
        assert torch.equal(getattr(found, field), getattr(batch, field))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"direction": "oblique"}, "bar direction: expected one of horizontal, vertical, got 'oblique'"),
        ({"fill": "black"}, "bar fill: expected one of grey, noise, got 'black'"),
        ({"share": 0.0}, r"bar share: expected a number in \(0, 1\], got 0.0"),
        ({"share": 1.1}, r"bar share: expected a number in \(0, 1\], got 1.1"),
        ({"share": float("nan")}, "bar share: .* got nan"),
    ],
)
def test_bars_that_are_none_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bar(**settings)


def test_places_beyond_the_face_and_noise_without_a_generator_are_refused(batch: FaceSample) -> None:
    for place in (-0.1, 1.1):
        with pytest.raises(ValueError, match=rf"bar place: expected a number in \[0, 1\], got {place}"):
            occluded(batch, Bar(), place)
    with pytest.raises(ValueError, match="occluded: noise needs a generator"):
        occluded(batch, Bar(fill="noise"), 0.5)


@dataclass(frozen=True)
class _Misled:
    """Knows the landmarks, and is off to the right by as many pixels as a share of the face is grey, times ten."""

    def landmarks(self, model: nn.Module, batch: FaceSample) -> Tensor:
        assert not model.training
        grey = (batch.image == 0.5).all(1).flatten(1).double().mean(1)
        off = batch.landmarks.clone()
        off[..., 0] += 10 * grey[:, None].float()
        return off


def test_errors_by_place_are_those_of_the_faces_behind_the_bar(faces: SyntheticFaces, batch: FaceSample) -> None:
    bar = Bar(0.5, "vertical")
    found = errors_by_place(_Misled(), nn.Identity(), faces, bar, (0.0, 0.9))
    assert found.shape == (2, 4)
    for row, place in zip(found, (0.0, 0.9), strict=True):
        points = _Misled().landmarks(nn.Identity().eval(), occluded(batch, bar, place))
        torch.testing.assert_close(row, nme(points[..., :2], batch.landmarks[..., :2], "bbox"))
        assert float(row.min()) > 0
    assert errors_by_place(_Misled(), nn.Identity(), faces).shape == (len(PLACES), 4)


def test_the_noise_has_a_seed(faces: SyntheticFaces) -> None:
    @dataclass(frozen=True)
    class _Brightness:
        def landmarks(self, model: nn.Module, batch: FaceSample) -> Tensor:
            return batch.landmarks + batch.image.mean((1, 2, 3))[:, None, None]

    bar = Bar(fill="noise")
    first, again, other = (
        errors_by_place(_Brightness(), nn.Identity(), faces, bar, (0.5,), seed) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
