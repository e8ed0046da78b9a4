"""Random changes of a training picture, and the ranges of each paper by name."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from facelab.data import photometry
from facelab.data.occluders import OCCLUDERS, occlude
from facelab.geometry import Affine

Range = tuple[float, float]
_PROBABILITIES = ("upright", "mirror", "occlusion", "grey", "shade", "blur", "motion", "low_resolution", "jpeg")
_NOT_NEGATIVE = ("rotation", "shift", "offset", "gamma", "noise")
_LOWEST = {"scale": 0.0, "gain": 0.0, "saturation": 0.0, "sigma": 0.0, "length": 0.0, "reduction": 1.0, "quality": 1.0}


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a training picture, and how much of it; by default nothing.

    Ranges ``(low, high)`` are drawn from uniformly, for each face anew. Lengths are shares of the side of the crop, so
    that they mean the same at every size.

    Attributes:
        rotation: degrees, uniform in +-rotation. scale: range of the zoom. shift: uniform in +-shift, along both axes.
        rotation_deviation, scale_deviation: if given, rotation (in degrees) and zoom are normal about the middle of
            their range with this standard deviation; what falls outside of the range is moved to its end.
        upright: probability of no rotation at all.
        mirror: probability of left and right exchanged.
        occlusion: probability of something in front of the face. occluders: kinds of it, see
            :func:`facelab.data.occluders.occlude`.
        gain: range of the factor of each colour channel. offset: added to all channels, uniform in +-offset.
        saturation: range, 1 leaves colours as they are. grey: probability of a nearly colourless picture.
        gamma: exponent exp(U(-gamma, gamma)) on brightness. shade: probability of light from one side.
        blur: probability of a Gaussian blur. sigma: range of its standard deviation.
        motion: probability of a motion blur. length: range of its length.
        low_resolution: probability of a picture made smaller and large again. reduction: range of the factor.
        noise: standard deviation of pixel noise, uniform up to this.
        jpeg: probability of a pass through a JPEG file. quality: range of its quality, of at most 100.
    Raises:
        ValueError: on a number out of range or an unknown occluder, with the name of the field.
    """

    rotation: float = 0.0
    scale: Range = (1.0, 1.0)
    rotation_deviation: float | None = None
    scale_deviation: float | None = None
    upright: float = 0.0
    shift: float = 0.0
    mirror: float = 0.0
    occlusion: float = 0.0
    occluders: tuple[str, ...] = OCCLUDERS
    gain: Range = (1.0, 1.0)
    offset: float = 0.0
    saturation: Range = (1.0, 1.0)
    grey: float = 0.0
    gamma: float = 0.0
    shade: float = 0.0
    blur: float = 0.0
    sigma: Range = (0.005, 0.02)
    motion: float = 0.0
    length: Range = (0.02, 0.1)
    low_resolution: float = 0.0
    reduction: Range = (1.5, 4.0)
    noise: float = 0.0
    jpeg: float = 0.0
    quality: Range = (15.0, 90.0)

    def __post_init__(self) -> None:
        for name in ("occluders", *_LOWEST):  # lists, as read from a JSON file, will do
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in _PROBABILITIES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"augmentation {name}: expected a probability in [0, 1], got {getattr(self, name)}")
        for name in _NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"augmentation {name}: expected a number, not negative, got {getattr(self, name)}")
        for name in ("rotation_deviation", "scale_deviation"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"augmentation {name}: expected a positive number or None, got {value}")
        for name, lowest in _LOWEST.items():
            pair = getattr(self, name)
            if len(pair) != 2 or not lowest <= pair[0] <= pair[1] < float("inf"):
                raise ValueError(
                    f"augmentation {name}: expected (low, high) with {lowest:g} <= low <= high, got {pair}"
                )
        if self.scale[0] <= 0 or self.quality[1] > 100:
            raise ValueError(
                f"augmentation scale, quality: expected a zoom above 0 and a quality of at most 100, "
                f"got {self.scale}, {self.quality}"
            )
        if not self.occluders or not set(self.occluders) <= set(OCCLUDERS):
            raise ValueError(f"augmentation occluders: expected some of {', '.join(OCCLUDERS)}, got {self.occluders}")

    def geometry(self, size: int, count: int, generator: torch.Generator) -> tuple[Affine, Tensor]:
        """A random map of a ``size`` x ``size`` picture onto itself, and which of the ``count`` are mirrored."""
        draw = torch.rand(5, count, generator=generator)
        angle = torch.deg2rad(_drawn((-self.rotation, self.rotation), self.rotation_deviation, draw[0]))
        scale = _drawn(self.scale, self.scale_deviation, draw[1])
        shift = (2 * draw[2:4].T - 1) * self.shift * size
        mirrored = draw[4] < self.mirror
        if self.upright:
            angle = torch.where(torch.rand(count, generator=generator) < self.upright, 0.0, angle)
        centre = torch.full((count, 2), (size - 1) / 2)
        return Affine.about(centre, angle, scale, shift, mirrored), mirrored

    def occluded(
        self, images: Tensor, landmarks: Tensor | None, generator: torch.Generator, markup: str = "68"
    ) -> tuple[Tensor, Tensor]:
        """Pictures with things in front of some faces, and ``(B, H, W)`` bool: which pixels they cover."""
        return occlude(images, landmarks, generator, self.occlusion, self.occluders, markup)

    def photometry(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Changed light, colour and sharpness of ``(B, 3, H, W)`` pictures, in the order of a camera.

        Args:
            images: in [0, 1], on any device; not changed in place. generator: on the CPU.
        """
        count, side = len(images), max(images.shape[2:])
        chance = torch.rand(6, count, generator=generator)
        draw = torch.rand(14, count, generator=generator)
        tint = torch.rand(count, 3, generator=generator)

        def some(pictures: Tensor, chosen: Tensor, change: Callable[..., Tensor], *numbers: Tensor) -> Tensor:
            """Changes the chosen pictures alone: most changes cost more than all else together."""
            which = chosen.nonzero()[:, 0]
            if len(which):
                at = which.to(pictures.device)
                pictures[at] = change(pictures[at], *(values[which].to(pictures.device) for values in numbers))
            return pictures

        everyone = torch.ones(count, dtype=torch.bool)
        angle = 2 * torch.pi * draw[:2]
        saturation = torch.where(chance[0] < self.grey, 0.15 * draw[2], _between(self.saturation, draw[2]))
        images = images.clone()
        images = some(
            images, chance[1] < self.shade, photometry.light_from_one_side,
            angle[0], 0.6 * draw[3] - 0.3, _between((0.1, 1.2), draw[4]), _between((0.1, 0.75), draw[5]),
        )  # fmt: skip
        colour = (saturation, _between(self.gain, tint), self.offset * (2 * draw[6] - 1))
        images = photometry.adjust_colour(images, *(values.to(images.device) for values in colour))
        bent = torch.exp(self.gamma * (2 * draw[7] - 1))
        images = some(images, everyone & (self.gamma > 0), photometry.adjust_gamma, bent)
        images = some(images, chance[2] < self.blur, photometry.gaussian_blur, side * _between(self.sigma, draw[8]))
        images = some(
            images, chance[3] < self.motion, photometry.motion_blur, side * _between(self.length, draw[9]), angle[1]
        )
        images = some(
            images, chance[4] < self.low_resolution, photometry.lower_resolution, _between(self.reduction, draw[10])
        )
        if self.noise:
            images = photometry.add_noise(images, (self.noise * draw[11]).to(images.device), generator)
        return some(images, chance[5] < self.jpeg, photometry.jpeg, _between(self.quality, draw[12]).round())


def _between(limits: Range, share: Tensor) -> Tensor:
    return limits[0] + (limits[1] - limits[0]) * share


def _drawn(limits: Range, deviation: float | None, share: Tensor) -> Tensor:
    """Uniform or normal numbers from uniform shares in [0, 1)."""
    if deviation is None:
        return _between(limits, share)
    normal = math.sqrt(2) * torch.erfinv(2 * share - 1)  # minus infinity at 0, which the range cuts off
    return (sum(limits) / 2 + deviation * normal).clamp(*limits)


_FAN = Augmentation(rotation=50, scale=(0.8, 1.2), mirror=0.5, gain=(0.7, 1.3), occlusion=0.5, occluders=("cutout",))
_PRESETS = {
    "two_stage": Augmentation(rotation=35, scale=(0.85, 1.15), mirror=0.5, gain=(0.7, 1.3)),
    "fan": _FAN,
    "fan-2d-to-3d": replace(_FAN, rotation=70, scale=(0.7, 1.3)),
    "fan-released": Augmentation(
        rotation=60,
        rotation_deviation=30,
        upright=0.6,
        scale=(0.7, 1.3),
        scale_deviation=0.3,
        mirror=0.5,
        gain=(0.7, 1.3),
    ),
    "anisotropic": Augmentation(rotation=30, scale=(0.75, 1.25), mirror=0.5),
    "tddfa": Augmentation(
        rotation=3, scale=(0.95, 1.05), shift=5 / 120, noise=3 / 255, motion=0.5, length=(0.0, 5 / 120)
    ),
    "cln": Augmentation(),
    "strong": Augmentation(
        rotation=30,
        scale=(1 / 1.15, 1 / 0.9),
        shift=0.08,
        mirror=0.5,
        occlusion=0.4,
        gain=(0.85, 1.15),
        offset=0.075,
        saturation=(0.4, 1.2),
        grey=0.2,
        gamma=0.8,
        shade=0.25,
        blur=0.3,
        motion=0.05,
        low_resolution=0.2,
        noise=0.08,
        jpeg=0.2,
    ),
}
PRESETS = tuple(_PRESETS)


def preset(name: str) -> Augmentation:
    """The augmentation of a paper, or our own for rendered faces.

    ``"two_stage"`` (Bulat and Tzimiropoulos 2016, section 3): rotation 35 degrees, scale 0.85 to 1.15, mirror, and
    colour jitter, whose strength the paper does not give: it is FAN's. ``"fan"`` (Bulat and Tzimiropoulos 2017,
    section 3.2): rotation 50 degrees, scale 0.8 to 1.2, mirror, colour, occlusion; the strength of the colours is that
    of the released code, the occluding rectangle is ours, since the paper does not say how it occludes.
    ``"fan-2d-to-3d"``: the same with rotation 70 degrees and scale 0.7 to 1.3, for the network of that name.
    ``"fan-released"``: what the authors' training code does: rotation normal with a deviation of 30 degrees and at most
    60, none at all in 60 % of the pictures; scale normal with a deviation of 0.3, from 0.7 to 1.3; no occlusion.
    ``"anisotropic"`` (2020): the paper's supplement is not public; rotation 30 degrees, scale 0.75 to 1.25 and mirror
    are the usual choice on 300-W. ``"tddfa"`` (Guo et al. 2020, short-video synthesis): rotation 3 degrees, scale 0.95
    to 1.05, shift 5 of 120 pixels, noise and motion blur of 5 pixels; no mirror, since identity coefficients have no
    mirror image. ``"cln"`` (2022): none; its shuffled tiles are a second input of the network, not a changed picture.
    ``"strong"``: ours, to go from rendered faces to photographs; meant for the crop rule ``"snug"``.

    Raises:
        ValueError: if there is none of that name, with the names there are.
    """
    if name not in _PRESETS:
        raise ValueError(f"augmentation preset: expected one of {', '.join(PRESETS)}, got {name!r}")
    return _PRESETS[name]
