"""A bar in front of a face: what it costs, by where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from facelab.data import FaceSample
from facelab.data.occluders import covered_at
from facelab.recipes.rendered import landmarks_over

DIRECTIONS = ("horizontal", "vertical")
FILLS = ("grey", "noise")
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
_GREY = 0.5


@dataclass(frozen=True)
class Bar:
    """What is drawn over a face.

    Attributes:
        share: of the area of the box of the face that it covers.
        direction: one of ``DIRECTIONS``: as wide as the box, or as high.
        fill: one of ``FILLS``: one grey, or a random colour in every pixel.
    Raises:
        ValueError: on an unknown name, or a share that is not in (0, 1].
    """

    share: float = 0.25
    direction: str = "horizontal"
    fill: str = "grey"

    def __post_init__(self) -> None:
        for name, there in (("direction", DIRECTIONS), ("fill", FILLS)):
            if getattr(self, name) not in there:
                raise ValueError(f"bar {name}: expected one of {', '.join(there)}, got {getattr(self, name)!r}")
        if not 0 < self.share <= 1:
            raise ValueError(f"bar share: expected a number in (0, 1], got {self.share}")

    def covers(self, box: Tensor, place: float, height: int, width: int) -> Tensor:
        """The pixels ``(B, H, W)`` bool whose centres it covers.

        Args:
            box: ``(B, 4)`` x0, y0, x1, y1 of the faces. place: 0 where it begins with the box, at its top or its left,
                to 1 where both end together.
        Raises:
            ValueError: for another place.
        """
        if not 0 <= place <= 1:
            raise ValueError(f"bar place: expected a number in [0, 1], got {place}")
        low, extent = box[:, :2].double(), (box[:, 2:] - box[:, :2]).double()
        size = extent.clone()
        axis = 1 if self.direction == "horizontal" else 0
        size[:, axis] *= self.share
        low[:, axis] += place * (extent - size)[:, axis]
        within = [
            (pixels >= low[:, each, None]) & (pixels < (low + size)[:, each, None])
            for each, pixels in enumerate(torch.arange(count, device=box.device) for count in (width, height))
        ]
        return within[1][:, :, None] & within[0][:, None, :]


def occluded(faces: FaceSample, bar: Bar, place: float, generator: torch.Generator | None = None) -> FaceSample:
    """A batch of faces behind a bar; what it covers is not visible.

    Args:
        faces, bar, place: see :class:`Bar`. generator: of the noise, on the CPU.
    Raises:
        ValueError: for noise without a generator, or a place that is not in [0, 1].
    """
    covered = bar.covers(faces.box, place, *faces.image.shape[2:])
    paint = torch.full_like(faces.image, _GREY)
    if bar.fill == "noise":
        if generator is None:
            raise ValueError("occluded: noise needs a generator")
        paint = torch.rand(faces.image.shape, generator=generator).to(paint)
    image = torch.where(covered[:, None], paint, faces.image)
    return replace(faces, image=image, visible=faces.visible & ~covered_at(covered, faces.landmarks))


def errors_by_place(
    recipe: Any,
    model: nn.Module,
    faces: Dataset[FaceSample],
    bar: Bar | None = None,
    places: Sequence[float] = PLACES,
    seed: int = 0,
) -> Tensor:
    """The NME ``(P, N)`` of each face, over all its landmarks and its box, with the bar at each place.

    Args:
        recipe: whose ``landmarks`` find those of a batch. model: its network. seed: of the noise.
    """
    chosen = Bar() if bar is None else bar
    model.eval()

    def errors(place: float) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return landmarks_over(
            faces, lambda batch: recipe.landmarks(model, occluded(batch, chosen, place, generator)), batch=64
        )[1]

    return torch.stack([errors(place) for place in places])
