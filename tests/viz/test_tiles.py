"""Tiles that travel: what the page is given. tests/book/test_browser_tiles.py opens one in a browser."""

import pytest
import torch

from facelab import viz
from facelab.data import SelfShuffle, Shuffled, self_shuffle
from facelab.data.self_shuffle import THUMBNAILS

ALT = "Noise in four times four tiles that change places."
RANDOM = torch.Generator().manual_seed(0)
IMAGES = torch.rand(3, 3, 32, 24, generator=RANDOM)
POINTS = torch.rand(3, 68, 2, generator=RANDOM) * torch.tensor([24.0, 32.0]) - 0.5
SHUFFLED = self_shuffle(IMAGES, SelfShuffle(swaps=(3, 4)), torch.Generator().manual_seed(1))


def made(**changes: object) -> viz.ShuffleFigure:
    whole = {"images": IMAGES, "shuffled": SHUFFLED, "landmarks": POINTS, "alt": ALT}
    return viz.shuffle_figure(**whole | changes)  # type: ignore[arg-type]


def test_points_go_with_their_pixels() -> None:
    """A picture whose colours are the numbers of its pixels tells where each of them went."""
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(24.0), indexing="ij")
    numbered = torch.stack([columns, rows, torch.zeros_like(rows)])[None].repeat(3, 1, 1, 1)
    shuffled = self_shuffle(numbered, SelfShuffle(swaps=(3, 4), thumbnail="blank"), torch.Generator().manual_seed(5))
    points = torch.stack([columns, rows], 2).reshape(1, -1, 2).repeat(3, 1, 1)
    moved, gone = viz.travelled(points, shuffled)
    assert gone.sum(1).tolist() == [48, 48, 48] and bool((moved != points).any())
    for face in range(3):
        x, y = moved[face].long().unbind(1)
        found = shuffled.images[face, :2, y, x].T
        torch.testing.assert_close(found[~gone[face]], points[face][~gone[face]])
        assert bool((found[gone[face]] == 0.5).all())
    centres = points + torch.tensor([0.4, -0.4])  # a pixel reaches half a pixel to all sides
    torch.testing.assert_close(viz.travelled(centres, shuffled)[0] - centres, moved - points)


def test_points_outside_stay() -> None:
    outside = torch.tensor([[-3.0, 5.0], [25.0, 5.0], [4.0, 40.0]]).expand(3, 3, 2)
    moved, gone = viz.travelled(outside, SHUFFLED)
    assert torch.equal(moved, outside) and not bool(gone.any())


def test_the_page_knows_all_places() -> None:
    data = made(names=("a", "b", "c")).data
    for picture, held, covered, points in zip(data["pictures"], SHUFFLED.held, SHUFFLED.covered, POINTS, strict=True):
        assert picture["held"] == held.tolist() and picture["covered"] == int(covered)
        torch.testing.assert_close(torch.tensor(picture["points"]), points, atol=0.0051, rtol=0)
    assert (data["tiles"], data["width"], data["height"]) == (4, 24, 32)
    assert [picture["name"] for picture in data["pictures"]] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", THUMBNAILS)
def test_the_thumbnail_is_the_picture_only_if_it_is_its_own(kind: str) -> None:
    shuffled = self_shuffle(IMAGES, SelfShuffle(thumbnail=kind), torch.Generator().manual_seed(1))
    for picture in made(shuffled=shuffled).data["pictures"]:
        assert (picture["thumbnail"] is None) == (kind == "none") == (picture["covered"] == -1)
        assert (picture["thumbnail"] == "own") == (kind == "own")


def test_shows_itself_three_times_and_nothing_closes_the_script() -> None:
    bundle = made(names=("<b>", "b", "c"))._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"} and bundle["text/plain"] == ALT
    assert bundle["text/html"].count("</script>") == 2 and "<b>" not in bundle["text/html"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES[:2]}, "pictures .* the same shuffled"),
        ({"landmarks": POINTS[:2]}, r"expected \(3, L, 2\)"),
        ({"landmarks": POINTS[:, :5]}, "expected 68 of mark-up 68, got 5"),
        ({"shuffled": Shuffled(SHUFFLED.images, SHUFFLED.held * 0, SHUFFLED.covered)}, "each place to hold another"),
        ({"names": ("a",)}, "expected 3, one a picture"),
        ({"seconds": 0.0}, "seconds: expected a positive number"),
        ({"alt": "tiles"}, "at least 20 characters"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**changes)
