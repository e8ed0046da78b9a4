"""Self-shuffling: tiles of a picture change places, and a thumbnail of the whole stands in one of them.

CLN calls this cross-domain self-shuffling data augmentation (CDSDA). The label of the picture stays.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

THUMBNAILS = ("own", "other", "blank", "none")
_GREY = 0.5  # of a blank tile: what networks that centre their pictures see as 0


@dataclass(frozen=True)
class SelfShuffle:
    """How pictures are shuffled.

    Attributes:
        tiles: n, of which n x n cover the picture.
        swaps: the fewest and the most swaps of a picture, each number as likely. A swap exchanges the tile that is at
            the top left with one at a place that was not drawn before for this picture, which may be the top left
            itself. So m swaps move m + 1 tiles in one cycle, and the top left is among them; or m of them (none, if
            m is 1) where it was drawn itself. ``(n * n, n * n)`` leaves no tile where it was.
        thumbnail: what stands in one tile: ``"own"``, the picture itself, n times smaller; ``"other"``, that of the
            next picture of the batch, a control; ``"blank"``, grey, as if it were masked; ``"none"``, the tile.
        share: of the pictures that get one, at random; its place is random too, and drawn after the swaps.
    Raises:
        ValueError: on a number out of range, or an unknown thumbnail.
    Source: CLN (BMVC 2022, paper 870), supplement, section 1.5, which has no numbers. Swaps are those of code that its
        laboratory released: 0 to 4 for each picture, in 4 x 4 tiles. The thumbnail is after Xie et al. 2021,
        "Cut-Thumbnail".
    """

    tiles: int = 4
    swaps: tuple[int, int] = (0, 4)
    thumbnail: str = "own"
    share: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "swaps", tuple(self.swaps))
        if self.tiles < 1:
            raise ValueError(f"self-shuffle tiles: expected at least 1, got {self.tiles}")
        if len(self.swaps) != 2 or not 0 <= self.swaps[0] <= self.swaps[1] <= self.tiles**2:
            raise ValueError(
                f"self-shuffle swaps: expected (fewest, most) with 0 <= fewest <= most <= {self.tiles**2} tiles, "
                f"got {self.swaps}"
            )
        if self.thumbnail not in THUMBNAILS:
            raise ValueError(f"self-shuffle thumbnail: expected one of {', '.join(THUMBNAILS)}, got {self.thumbnail!r}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"self-shuffle share: expected a number in [0, 1], got {self.share}")

    def places(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random places for so many pictures.

        Returns:
            ``(B, n * n)`` int64, the tile of the picture that each place holds, row by row; ``(B,)`` int64, the place
            of the thumbnail, -1 where there is none.
        """
        tiles, (fewest, most) = self.tiles**2, self.swaps
        swaps = torch.randint(fewest, most + 1, (count,), generator=generator)
        drawn = torch.rand(count, tiles, generator=generator).argsort(1)
        held, picture = torch.arange(tiles).repeat(count, 1), torch.arange(count)
        for number in range(most):
            other = torch.where(number < swaps, drawn[:, number], 0)
            held[:, 0], held[picture, other] = held[picture, other], held[:, 0].clone()
        covered = torch.randint(tiles, (count,), generator=generator)
        chosen = torch.rand(count, generator=generator) < self.share
        return held, torch.where(chosen & torch.tensor(self.thumbnail != "none"), covered, -1)


class Shuffled(NamedTuple):
    """Shuffled pictures, and what undoes the shuffling.

    Attributes:
        images: ``(B, C, H, W)``. held: ``(B, n * n)`` int64, the tile of the picture that each place holds, row by row.
        covered: ``(B,)`` int64, the place of the thumbnail, -1 where there is none.
    """

    images: Tensor
    held: Tensor
    covered: Tensor

    def unshuffled(self) -> Tensor:
        """The pictures with each tile where it was, bit for bit; a thumbnail stays in the tile that it covers."""
        tiles = round(self.held.shape[1] ** 0.5)
        return _joined(_ordered(_cut(self.images, tiles), self.held.argsort(1)), tiles)


def self_shuffle(images: Tensor, settings: SelfShuffle, generator: torch.Generator) -> Shuffled:
    """Shuffled copies of pictures.

    Args:
        images: ``(B, C, H, W)`` on any device, with sides that are whole multiples of the number of tiles.
        settings: see :class:`SelfShuffle`. generator: on the CPU; the same gives the same places on every device.
    Returns:
        On the device of the pictures.
    Raises:
        ValueError: on other shapes, pictures of integers, or one picture where the thumbnail is to be of another.
    """
    tiles = settings.tiles
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            f"self-shuffle images: expected a floating-point tensor (B, C, H, W), "
            f"got {images.dtype} {tuple(images.shape)}"
        )
    height, width = images.shape[2:]
    if height % tiles or width % tiles or not height * width:
        raise ValueError(
            f"self-shuffle images: expected sides in whole multiples of {tiles} tiles, got {height} x {width}"
        )
    if settings.thumbnail == "other" and len(images) == 1:
        raise ValueError("self-shuffle images: expected at least 2 for thumbnails of another, got 1")
    held, covered = (part.to(images.device) for part in settings.places(len(images), generator))
    parts = _ordered(_cut(images, tiles), held)
    put = (torch.arange(tiles**2, device=images.device) == covered[:, None])[:, :, None, None, None]
    parts = torch.where(put, _thumbnails(images, settings)[:, None], parts)
    return Shuffled(_joined(parts, tiles), held, covered)


def _thumbnails(images: Tensor, settings: SelfShuffle) -> Tensor:
    """What may stand in a tile, ``(B, C, H / n, W / n)``: each pixel is the mean of n x n."""
    small = avg_pool2d(images, settings.tiles)
    if settings.thumbnail == "blank":
        return torch.full_like(small, _GREY)
    return small.roll(-1, 0) if settings.thumbnail == "other" else small


def _cut(images: Tensor, tiles: int) -> Tensor:
    """``(B, C, H, W)`` into ``(B, n * n, C, H / n, W / n)``, row by row."""
    cut = images.unflatten(3, (tiles, -1)).unflatten(2, (tiles, -1))  # (B, C, n, H / n, n, W / n)
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)


def _joined(parts: Tensor, tiles: int) -> Tensor:
    """Undoes :func:`_cut`."""
    return parts.unflatten(1, (tiles, tiles)).permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


def _ordered(parts: Tensor, order: Tensor) -> Tensor:
    """At each place the part of that number."""
    return parts[torch.arange(len(parts), device=parts.device)[:, None], order]
