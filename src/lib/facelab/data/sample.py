"""One face as every data set and every network sees it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from facelab.markups import convert

_TENSORS = ("image", "landmarks", "visible", "box", "pose", "parameters")


@dataclass(frozen=True)
class FaceSample:
    """A picture with its landmarks; with a leading batch dimension everywhere when made by :meth:`stack`.

    Attributes:
        image: ``(3, H, W)`` float32 RGB in [0, 1].
        landmarks: ``(L, 2)`` or ``(L, 3)`` float32 pixels.
        visible: ``(L,)`` bool.
        box: ``(4,)`` float32 x0, y0, x1, y1 in pixels: the tight box of the landmarks unless a data set gives its own.
        pose: ``(3,)`` radians pitch, yaw, roll; NaN where unknown.
        parameters: ``(62,)`` camera (3 x 4, by rows), 40 identity and 10 expression coefficients; NaN where unknown.
        name: which face of which set. In a batch a tuple of names.
        markup: name of the landmark scheme.
    """

    image: Tensor
    landmarks: Tensor
    visible: Tensor
    box: Tensor
    pose: Tensor
    parameters: Tensor
    name: str | tuple[str, ...]
    markup: str

    @staticmethod
    def stack(samples: Sequence["FaceSample"]) -> "FaceSample":
        """A batch of samples with pictures of one size and one mark-up; also the ``collate_fn`` of a ``DataLoader``.

        Raises:
            ValueError: without a sample, or if mark-ups or picture sizes differ.
        """
        if not samples:
            raise ValueError("stack: expected at least one sample")
        markups, shapes = {s.markup for s in samples}, {tuple(s.image.shape) for s in samples}
        if len(markups) > 1 or len(shapes) > 1:
            raise ValueError(
                f"stack: expected one mark-up and one picture shape, got {sorted(markups)}, {sorted(shapes)}"
            )
        tensors = {field: torch.stack([getattr(s, field) for s in samples]) for field in _TENSORS}
        return FaceSample(**tensors, name=tuple(str(s.name) for s in samples), markup=samples[0].markup)

    def converted(self, name: str) -> "FaceSample":
        """The same with the landmarks of another mark-up, see :func:`facelab.markups.convert`; the box stays.

        Raises:
            ValueError: if there is no such conversion.
        """
        points = convert(self.landmarks, self.markup, name)
        visible = convert(self.visible[..., None], self.markup, name)[..., 0]
        return replace(self, landmarks=points, visible=visible, markup=name)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "FaceSample":
        """The same on another device; the copy may go on while the program does, from pinned memory."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "FaceSample":
        """The same in memory from which a CUDA device copies directly."""
        return self._with(Tensor.pin_memory)

    def _with(self, change: Callable[[Tensor], Tensor]) -> "FaceSample":
        moved: dict[str, Any] = {field: change(getattr(self, field)) for field in _TENSORS}
        return replace(self, **moved)


def landmark_box(landmarks: Tensor) -> Tensor:
    """Tight boxes ``(..., 4)`` (x0, y0, x1, y1) of landmarks ``(..., L, 2 or 3)``; missing ones (NaN) do not count."""
    points = landmarks[..., :2]
    low, high = points.nan_to_num(torch.inf).amin(-2), points.nan_to_num(-torch.inf).amax(-2)
    return torch.cat([low, high], -1)
