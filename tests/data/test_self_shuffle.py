"""Self-shuffling: which tiles change places, the thumbnail, and the way back."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from facelab.data import THUMBNAILS, SelfShuffle, Shuffled, self_shuffle


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _pictures(count: int = 5, height: int = 24, width: int = 24) -> Tensor:
    return torch.rand(count, 3, height, width, generator=seeded(0))


def _tile(images: Tensor, place: int, tiles: int) -> Tensor:
    """Cut out by plain slices."""
    row, column = divmod(place, tiles)
    height, width = (side // tiles for side in images.shape[-2:])
    return images[..., row * height : (row + 1) * height, column * width : (column + 1) * width]


@pytest.mark.parametrize("thumbnail", THUMBNAILS)
@pytest.mark.parametrize(("tiles", "height", "width"), [(4, 24, 24), (3, 24, 12), (2, 10, 6), (1, 8, 8)])
def test_each_place_holds_the_tile_it_says(tiles: int, height: int, width: int, thumbnail: str) -> None:
    images = _pictures(6, height, width)
    settings = SelfShuffle(tiles, (0, min(4, tiles**2)), thumbnail, share=0.5)
    shuffled = self_shuffle(images, settings, seeded(1))
    assert shuffled.images.shape == images.shape
    assert shuffled.held.shape == (6, tiles**2) and shuffled.covered.shape == (6,)
    assert torch.equal(shuffled.held.sort(1).values.cpu(), torch.arange(tiles**2).expand(6, -1))
    assert bool((shuffled.covered >= 0).any()) == (thumbnail != "none")
    small = torch.stack([images[..., row::tiles, column::tiles] for row in range(tiles) for column in range(tiles)])
    stand_in = {
        "own": small.mean(0),
        "other": small.mean(0)[[1, 2, 3, 4, 5, 0]],
        "blank": torch.full_like(small[0], 0.5),
    }
    for number in range(6):
        for place in range(tiles**2):
            got = _tile(shuffled.images[number], place, tiles)
            if place == int(shuffled.covered[number]):
                torch.testing.assert_close(got, stand_in[thumbnail][number])
            else:
                assert torch.equal(got, _tile(images[number], int(shuffled.held[number, place]), tiles))


@pytest.mark.parametrize(("tiles", "height", "width"), [(4, 24, 24), (3, 24, 12), (7, 28, 14)])
@pytest.mark.parametrize("swaps", [0, 4, None])
def test_the_way_back_is_exact(swaps: int | None, tiles: int, height: int, width: int) -> None:
    images = _pictures(6, height, width)
    most = tiles**2 if swaps is None else swaps
    shuffled = self_shuffle(images, SelfShuffle(tiles, (most, most), "none"), seeded(2))
    assert torch.equal(shuffled.images, images) == (most == 0)
    assert torch.equal(shuffled.unshuffled(), images)


def test_with_a_thumbnail_all_but_the_tile_it_covers_comes_back() -> None:
    images = _pictures()
    shuffled = self_shuffle(images, SelfShuffle(swaps=(4, 4)), seeded(3))
    back = shuffled.unshuffled()
    for number in range(5):
        home = int(shuffled.held[number, shuffled.covered[number]])
        for place in range(16):
            same = torch.equal(_tile(back[number], place, 4), _tile(images[number], place, 4))
            assert same == (place != home)


def test_the_thumbnail_is_the_whole_picture_made_small() -> None:
    """As PyTorch makes it small by means of areas, at the size of a tile; of the picture before it was shuffled."""
    images = _pictures(4, 224, 224)
    shuffled = self_shuffle(images, SelfShuffle(swaps=(16, 16)), seeded(4))
    wanted = interpolate(images, (56, 56), mode="area")
    for number, place in enumerate(shuffled.covered.tolist()):
        torch.testing.assert_close(_tile(shuffled.images[number], place, 4), wanted[number])


def test_swaps_are_with_the_top_left() -> None:
    """One swap exchanges two tiles, of which one is the first; m swaps move m or m + 1, in one cycle through it."""
    first = torch.arange(16)
    held, _ = SelfShuffle(swaps=(1, 1)).places(2000, seeded(5))
    moved = (held != first).sum(1)
    assert set(moved.tolist()) == {0, 2}
    assert float((moved == 0).float().mean()) == pytest.approx(1 / 16, abs=0.015)  # it was drawn itself
    partner = held[moved == 2, 0]
    assert torch.equal(held[moved == 2].gather(1, partner[:, None])[:, 0], torch.zeros_like(partner))
    assert bool((torch.bincount(partner, minlength=16)[1:] > 80).all())
    for swaps in (2, 4):
        held, _ = SelfShuffle(swaps=(swaps, swaps)).places(500, seeded(6))
        assert set((held != first).sum(1).tolist()) == {swaps, swaps + 1} and bool((held[:, 0] != 0).all())
        for order in held[:50].tolist():
            place, length = order[0], 1
            while place:
                place, length = order[place], length + 1
            assert length == sum(tile != place for place, tile in enumerate(order))


def test_every_number_of_swaps_is_as_likely() -> None:
    """0 to 4: a fifth each, seen by the tiles moved; m swaps with the first tile among them move m, else m + 1."""
    held, covered = SelfShuffle().places(20_000, seeded(7))
    moved = torch.bincount((held != torch.arange(16)).sum(1), minlength=6) / 20_000
    first = torch.tensor([swaps / 16 for swaps in range(5)])  # it is among those that were drawn
    wanted = torch.zeros(6)
    for swaps in range(5):
        for among, chance in ((0, 1 - first[swaps]), (1, first[swaps])):
            tiles = swaps + 1 - among
            wanted[tiles if tiles > 1 else 0] += chance / 5
    torch.testing.assert_close(moved, wanted, atol=0.012, rtol=0)
    torch.testing.assert_close(torch.bincount(covered) / 20_000, torch.full((16,), 1 / 16), atol=0.006, rtol=0)


def test_as_many_swaps_as_tiles_leave_none_where_it_was() -> None:
    """All tiles are in one cycle, and every such cycle is as likely: 3! of 4! orders of four tiles."""
    held, _ = SelfShuffle(tiles=2, swaps=(4, 4)).places(24_000, seeded(8))
    orders = held @ torch.tensor([64, 16, 4, 1])
    counts = torch.bincount(orders, minlength=256)
    assert int((counts > 0).sum()) == 6 and bool((held != torch.arange(4)).all())
    torch.testing.assert_close(counts[counts > 0] / 24_000, torch.full((6,), 1 / 6), atol=0.01, rtol=0)


def test_a_share_of_the_pictures_gets_a_thumbnail() -> None:
    for share, wanted in ((0.0, 0.0), (0.3, 0.3), (1.0, 1.0)):
        _, covered = SelfShuffle(share=share).places(5000, seeded(9))
        assert float((covered >= 0).float().mean()) == pytest.approx(wanted, abs=0.02)
        assert int(covered.min()) >= -1 and int(covered.max()) <= 15
    held, covered = SelfShuffle(thumbnail="none").places(100, seeded(9))
    assert torch.equal(covered, torch.full((100,), -1))
    assert torch.equal(held, SelfShuffle().places(100, seeded(9))[0])  # the controls see the same order of tiles


def test_pictures_are_drawn_for_themselves_and_the_same_generator_gives_the_same_bytes() -> None:
    images = _pictures(1).expand(40, -1, -1, -1)
    runs = [self_shuffle(images, SelfShuffle(), seeded(seed)) for seed in (10, 10, 11)]
    for one, again, other in zip(*runs, strict=True):
        assert torch.equal(one, again) and not torch.equal(one, other)
    assert len(runs[0].held.unique(dim=0)) > 20
    assert isinstance(runs[0], Shuffled) and torch.equal(images, _pictures(1).expand(40, -1, -1, -1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_numbers_keep_their_kind_and_gradients_flow(dtype: torch.dtype) -> None:
    images = _pictures().to(dtype).requires_grad_()
    shuffled = self_shuffle(images, SelfShuffle(thumbnail="none"), seeded(12))
    assert shuffled.images.dtype == dtype
    shuffled.images.sum().backward()
    assert images.grad is not None and torch.equal(images.grad, torch.ones_like(images))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tiles": 0}, "tiles: expected at least 1, got 0"),
        ({"swaps": (3, 2)}, r"swaps: expected \(fewest, most\) .* got \(3, 2\)"),
        ({"swaps": (-1, 2)}, r"got \(-1, 2\)"),
        ({"swaps": (0, 17)}, r"fewest <= most <= 16 tiles, got \(0, 17\)"),
        ({"swaps": (1, 2, 3)}, "fewest, most"),
        ({"thumbnail": "mask"}, "thumbnail: expected one of own, other, blank, none, got 'mask'"),
        ({"share": 1.5}, r"share: expected a number in \[0, 1\], got 1.5"),
        ({"share": float("nan")}, "share: expected a number"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SelfShuffle(**settings)  # type: ignore[arg-type]


def test_pictures_that_do_not_fit_are_refused() -> None:
    for images, settings, message in (
        (
            _pictures()[0],
            SelfShuffle(),
            r"expected a floating-point tensor \(B, C, H, W\), got torch.float32 \(3, 24, 24\)",
        ),
        ((255 * _pictures()).byte(), SelfShuffle(), "got torch.uint8"),
        (_pictures(2, 120, 118), SelfShuffle(), "sides in whole multiples of 4 tiles, got 120 x 118"),
        (_pictures(2, 24, 24), SelfShuffle(tiles=5), "whole multiples of 5 tiles, got 24 x 24"),
        (_pictures(2, 0, 24), SelfShuffle(), "got 0 x 24"),
        (_pictures(1), SelfShuffle(thumbnail="other"), "expected at least 2 for thumbnails of another, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            self_shuffle(images, settings, seeded(0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
@pytest.mark.parametrize("thumbnail", THUMBNAILS)
def test_every_device_gives_the_same_pictures(thumbnail: str) -> None:
    images, settings = _pictures(), SelfShuffle(thumbnail=thumbnail)
    here, there = (self_shuffle(images.to(device), settings, seeded(13)) for device in ("cpu", "cuda"))
    assert there.images.is_cuda and torch.equal(there.held.cpu(), here.held)
    torch.testing.assert_close(there.images.cpu(), here.images)
    torch.testing.assert_close(there.unshuffled().cpu(), here.unshuffled())


def test_no_picture_is_fine() -> None:
    shuffled = self_shuffle(_pictures(0), SelfShuffle(), seeded(0))
    assert shuffled.images.shape == (0, 3, 24, 24) and shuffled.unshuffled().shape == (0, 3, 24, 24)
