"""Colours of a face: from a few palette choices to one albedo per vertex, over the whole range of human skin.

A :class:`Palette` holds the choices, :func:`paint` lays them on a model by its regions and masks, :func:`sample_albedo`
draws a palette at random. Any :class:`~facelab.face3d.MorphableModel` can be painted: a mask or a region that it does
not have is skipped. Colours are RGB in [0, 1], as seen on a screen under white light.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from facelab.face3d.model import MorphableModel

Colour = tuple[float, float, float]

SKIN_TONES: tuple[Colour, ...] = (
    (0.93, 0.77, 0.67), (0.90, 0.73, 0.62), (0.86, 0.67, 0.54), (0.77, 0.57, 0.44), (0.65, 0.46, 0.34),
    (0.53, 0.37, 0.28),
    (0.42, 0.29, 0.22),
)  # fmt: skip
HAIR_COLOURS: tuple[Colour, ...] = (
    (0.13, 0.11, 0.10), (0.20, 0.15, 0.12), (0.29, 0.20, 0.15), (0.40, 0.29, 0.20), (0.50, 0.27, 0.16),
    (0.66, 0.51, 0.33),
    (0.56, 0.55, 0.54), (0.80, 0.78, 0.76),
)  # fmt: skip
IRIS_COLOURS: tuple[Colour, ...] = (
    (0.23, 0.14, 0.09), (0.33, 0.21, 0.12), (0.43, 0.33, 0.18), (0.39, 0.44, 0.29), (0.38, 0.51, 0.63),
    (0.50, 0.54, 0.56),
)  # fmt: skip
_DARK_HAIR = 3  # of the hair colours, those that go with every skin
_LIP_TINT: Colour = (0.82, 0.56, 0.60)  # of the skin
_SCLERA: Colour = (0.90, 0.88, 0.86)
_TEETH: Colour = (0.92, 0.89, 0.83)
_MOUTH: Colour = (0.50, 0.22, 0.21)
_TONGUE: Colour = (0.72, 0.40, 0.39)
_FLESH: Colour = (0.83, 0.53, 0.49)
_LENS: Colour = (0.13, 0.13, 0.14)
_DARKEST = 0.10  # no channel of the skin falls below
_OCCLUSION = {
    # mask: share of light that it takes at full strength
    "nose_shadow": 0.20, "under_lip": 0.16, "orbit": 0.12, "smile_fold": 0.07, "neck_shadow": 0.24, "lid_crease": 0.16,
    "eye_shadow": 0.10, "ear_hollow": 0.32,
}  # fmt: skip


@dataclass(frozen=True)
class Palette:
    """The choices behind one face. Strengths are in [0, 1]; 0 leaves the feature out."""

    skin: Colour = (0.87, 0.68, 0.57)
    hair: Colour = (0.29, 0.20, 0.14)
    iris: Colour = (0.36, 0.42, 0.40)
    clothes: Colour = (0.28, 0.38, 0.52)
    frame: Colour = (0.15, 0.13, 0.13)
    lip_strength: float = 0.42
    brow_strength: float = 0.78
    lash_strength: float = 0.75
    blush: float = 0.35
    beard: float = 0.0
    occlusion: float = 1.0
    noise: float = 0.25
    glasses: float = 0.0
    lens: float = 0.0


DEFAULT_PALETTE = Palette()


def default_albedo(model: MorphableModel) -> Tensor:
    """The fixed, neutral look of the figures: (V, 3) float32 RGB in [0, 1]."""
    return paint(model, DEFAULT_PALETTE, torch.Generator().manual_seed(0))


def sample_albedo(model: MorphableModel, generator: torch.Generator) -> Tensor:
    """A random look: (V, 3) float32 RGB albedo in [0, 1], on the device of the model."""
    return paint(model, sample_palette(generator), generator)


def sample_palette(generator: torch.Generator) -> Palette:
    """Random choices: every skin tone equally likely, hair and eyes that go with it, sometimes a beard or glasses."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator, device=generator.device))

    tone = uniform(0.0, 1.0)
    hairs = HAIR_COLOURS if tone < 0.5 else HAIR_COLOURS[:_DARK_HAIR]
    irises = IRIS_COLOURS if tone < 0.55 else IRIS_COLOURS[:3]
    bearded, grey, spectacled, sun = (uniform(0, 1) for _ in range(4))
    hair = _between(hairs, uniform(0, 1)) if grey > 0.12 else _between(HAIR_COLOURS[-2:], uniform(0, 1))
    lens = uniform(0.75, 0.95) if sun < 0.3 else uniform(0.0, 0.12)
    frames = ((0.10, 0.09, 0.09), (0.35, 0.22, 0.14), (0.55, 0.53, 0.50))
    frame = _between(frames, uniform(0.0, 0.4 if lens > 0.5 else 1.0))
    return Palette(
        skin=_tinted(_between(SKIN_TONES, tone), uniform(-0.02, 0.04), uniform(0.95, 1.04)),
        hair=hair,
        iris=_between(irises, uniform(0, 1)),
        clothes=(uniform(0.08, 0.9), uniform(0.08, 0.9), uniform(0.08, 0.9)),
        frame=frame,
        lip_strength=uniform(0.15, 0.75) ** 1.2,
        brow_strength=uniform(0.35, 0.95),
        lash_strength=uniform(0.35, 0.95),
        blush=uniform(0.0, 0.7),
        beard=uniform(0.15, 0.85) if bearded < 0.25 else 0.0,
        occlusion=uniform(0.5, 1.25),
        noise=uniform(0.3, 1.0),
        glasses=1.0 if spectacled < 0.15 else 0.0,
        lens=lens,
    )


def _between(colours: tuple[Colour, ...], place: float) -> Colour:
    """The colour at ``place`` in [0, 1] along a line of colours."""
    position = place * (len(colours) - 1)
    index = min(int(position), len(colours) - 2)
    t = position - index
    r, g, b = ((1 - t) * low + t * high for low, high in zip(colours[index], colours[index + 1], strict=True))
    return r, g, b


def _tinted(colour: Colour, warmth: float, gain: float) -> Colour:
    r, g, b = (min(max(gain * c, 0.0), 1.0) for c in colour)
    return min(r * (1 + warmth), 1.0), g, b * (1 - warmth)


class _Canvas:
    """Albedo in the making: masks that the model lacks paint nothing."""

    def __init__(self, model: MorphableModel, ground: Colour) -> None:
        self.model = model
        self.albedo = self._tensor(ground).repeat(model.mean.shape[1], 1)

    def _tensor(self, colour: Colour) -> Tensor:
        return torch.tensor(colour, dtype=torch.float32, device=self.model.mean.device)

    def mask(self, name: str) -> Tensor:
        """(V, 1)."""
        found = self.model.masks.get(name)
        return self.albedo.new_zeros(len(self.albedo), 1) if found is None else found[:, None]

    def region(self, *names: str) -> Tensor:
        """(V, 1) float, 1 inside these regions."""
        numbers = [i for i, name in enumerate(self.model.region_names) if name in names]
        return torch.isin(self.model.region, self.model.region.new_tensor(numbers))[:, None].float()

    def blend(self, where: Tensor, colour: Colour) -> None:
        self.albedo = self.albedo + where * (self._tensor(colour) - self.albedo)

    def darken(self, where: Tensor, tint: Colour = (1.0, 1.05, 1.1)) -> None:
        """Take the share ``where`` of the light, a little more of green and blue: shade on skin is warm."""
        self.albedo = self.albedo * (1 - where * self._tensor(tint)).clamp(min=0)


def paint(model: MorphableModel, palette: Palette, generator: torch.Generator) -> Tensor:
    """Albedo (V, 3) of a model under a palette; ``generator`` is used for the blotches of the skin alone."""
    canvas = _Canvas(model, palette.skin)
    _paint_skin(canvas, palette)
    canvas.albedo = canvas.albedo * (1 + 0.16 * palette.noise * skin_noise(model, generator))
    canvas.albedo = canvas.albedo.clamp(_DARKEST, 1)
    _paint_hair(canvas, palette)
    _paint_eyes(canvas, palette)
    _paint_mouth(canvas, palette)
    _paint_worn(canvas, palette)
    return canvas.albedo.clamp(0, 1)


def _paint_skin(canvas: _Canvas, palette: Palette) -> None:
    r, g, b = palette.skin
    rosy = (min(1.0, r * 1.02), g * 0.80, b * 0.80)
    for name, strength in (("cheeks", 0.8), ("nose_tip", 0.45), ("ear_hollow", 0.5)):
        canvas.blend(strength * palette.blush * canvas.mask(name), rosy)
    lip_r, lip_g, lip_b = _LIP_TINT
    canvas.blend((0.35 + 0.65 * palette.lip_strength) * canvas.mask("lips"), (r * lip_r, g * lip_g, b * lip_b))
    canvas.darken(0.3 * canvas.mask("lip_line"))
    for name, share in _OCCLUSION.items():
        if name != "eye_shadow":
            canvas.darken(palette.occlusion * share * canvas.mask(name))
    canvas.darken(0.78 * canvas.mask("nostrils"))


def _paint_hair(canvas: _Canvas, palette: Palette) -> None:
    r, g, b = palette.hair
    brow = (0.75 * r + 0.02, 0.75 * g + 0.015, 0.75 * b + 0.01)
    canvas.blend(palette.brow_strength * canvas.mask("brows"), brow)
    canvas.blend(0.9 * palette.beard * canvas.mask("beard"), brow)
    canvas.blend(0.92 * canvas.mask("scalp"), (0.7 * r, 0.7 * g, 0.7 * b))
    hair = canvas.region("hair")
    canvas.blend(hair, palette.hair)
    canvas.albedo = canvas.albedo * (1 + hair * 0.7 * (canvas.mask("hair_pattern") - 0.5))
    canvas.blend(palette.lash_strength * canvas.mask("lashes"), (0.13, 0.09, 0.08))


def _paint_eyes(canvas: _Canvas, palette: Palette) -> None:
    r, g, b = palette.iris
    eyes = canvas.region("eyes")
    canvas.blend(eyes, _SCLERA)
    canvas.blend(eyes * canvas.mask("iris"), palette.iris)
    canvas.blend(eyes * canvas.mask("limbus") * 0.75, (0.4 * r, 0.4 * g, 0.4 * b))
    canvas.blend(eyes * canvas.mask("pupil"), (0.04, 0.035, 0.035))
    canvas.darken(eyes * canvas.mask("eye_shadow") * 0.45 * palette.occlusion, (1.0, 1.0, 1.0))
    flesh = tuple(0.5 * f + 0.5 * s for f, s in zip(_FLESH, palette.skin, strict=True))
    canvas.blend(canvas.region("lid margins"), (flesh[0], flesh[1], flesh[2]))


def _paint_mouth(canvas: _Canvas, palette: Palette) -> None:
    mouth = canvas.region("mouth")
    canvas.blend(mouth, _MOUTH)
    canvas.darken(0.8 * mouth * canvas.mask("mouth_depth"))
    canvas.blend(canvas.region("upper teeth", "lower teeth"), _TEETH)
    canvas.darken(0.5 * canvas.mask("teeth_shadow"), (1.0, 1.0, 1.0))
    canvas.blend(canvas.region("tongue"), _TONGUE)


def _paint_worn(canvas: _Canvas, palette: Palette) -> None:
    clothes = canvas.region("clothes")
    canvas.blend(clothes, palette.clothes)
    if palette.glasses > 0:
        canvas.blend(palette.lens * canvas.mask("glasses_lens"), _LENS)
        canvas.blend(palette.lens * canvas.region("eyes", "lid margins"), _LENS)
        canvas.blend(palette.glasses * canvas.mask("glasses_frame"), palette.frame)


def skin_noise(model: MorphableModel, generator: torch.Generator, waves: int = 12) -> Tensor:
    """Smooth random blotches (V, 1), about in [-1, 1]: cosines of the mean positions, coarse ones and fine ones.

    Wavelengths are shares of the height of the mean face, so every model gets the same look whatever its unit.
    """
    device = generator.device
    points = model.mean.T.to(device)
    height = points[:, 1].max() - points[:, 1].min()
    total = points.new_zeros(len(points))
    for wavelength, strength in ((0.09, 0.6), (0.03, 0.4)):
        direction = torch.randn(3, waves, generator=generator, device=device) / (wavelength * height)
        phase = 6.2832 * torch.rand(waves, generator=generator, device=device)
        total += strength * torch.cos(points @ direction + phase).sum(dim=1) * (2 / waves) ** 0.5
    return (0.5 * total)[:, None].to(model.mean.device)
