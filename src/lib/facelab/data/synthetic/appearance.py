"""Colours of a face: from a few choices to coats of paint, over the whole range of human skin.

A :class:`Palette` holds the choices for a batch of faces, :func:`coats` turns them into paint (see ``paint.py``). Any
:class:`~facelab.face3d.MorphableModel` can be painted: a mask or a region that it does not have is skipped. Colours
are RGB in [0, 1], as seen on a screen under white light.
"""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from facelab.data.colours import HAIR_COLOURS, SKIN_TONES
from facelab.data.draws import Draws
from facelab.data.synthetic.paint import Coats, lay
from facelab.face3d import MorphableModel

GREY_HAIR = torch.tensor([(0.40, 0.39, 0.38), (0.62, 0.61, 0.60), (0.86, 0.85, 0.83)])
IRIS_COLOURS = torch.tensor([
    (0.20, 0.12, 0.08), (0.32, 0.20, 0.11), (0.42, 0.32, 0.17), (0.38, 0.43, 0.28), (0.37, 0.50, 0.62),
    (0.49, 0.54, 0.57),
])  # fmt: skip
LIPSTICKS = torch.tensor([(0.72, 0.12, 0.16), (0.80, 0.34, 0.42), (0.55, 0.13, 0.24), (0.70, 0.38, 0.30)])
_DARK_HAIR, _DARK_EYES = 3, 3  # the first of the colours, that go with every skin
_LIP_TINT = torch.tensor((0.84, 0.58, 0.61))  # of the skin
_SHADE = torch.tensor((1.0, 1.05, 1.1))  # shade on skin is warm: it takes more green and blue
_FRAMES = torch.tensor([(0.08, 0.07, 0.07), (0.33, 0.20, 0.12), (0.60, 0.56, 0.48), (0.70, 0.70, 0.72)])
_CLOTH_MASKS = torch.tensor([(0.42, 0.62, 0.76), (0.88, 0.90, 0.91), (0.12, 0.12, 0.13)])
_DARKENING = {
    # mask: share of light that it takes at full strength
    "nose_shadow": 0.16, "under_lip": 0.14, "orbit": 0.10, "smile_fold": 0.09, "neck_shadow": 0.24,
    "lid_crease": 0.18, "ear_hollow": 0.30,
}  # fmt: skip
_MOTTLE = (  # tint of the skin and strength of the blotches, from coarse to fine
    ((1.0, 0.90, 0.88), 0.6), ((0.90, 0.87, 0.84), 0.6), ((1.06, 1.04, 1.02), 0.45), ((0.90, 0.86, 0.82), 0.4),
    ((1.04, 0.94, 0.92), 0.3), ((0.86, 0.82, 0.80), 0.2),
)  # fmt: skip


@dataclass(frozen=True)
class Palette:
    """The choices behind a batch of B faces: colours ``(B, 3)``, strengths ``(B,)`` in [0, 1] where 0 leaves it out."""

    skin: Tensor
    hair: Tensor
    iris: Tensor
    clothes: Tensor
    trim: Tensor
    frame: Tensor
    lens: Tensor
    headwear: Tensor
    face_mask: Tensor
    lip: Tensor
    eye_paint: Tensor
    lip_strength: Tensor
    eye_paint_strength: Tensor
    brow_strength: Tensor
    lash_strength: Tensor
    blush: Tensor
    stubble: Tensor
    scalp: Tensor
    occlusion: Tensor
    freckles: Tensor
    age: Tensor
    mottle: Tensor

    def __len__(self) -> int:
        return len(self.skin)

    def to(self, device: torch.device | str) -> "Palette":
        """The same choices on another device."""
        return replace(self, **{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def default_palette() -> Palette:
    """One fixed, neutral look, for figures."""
    colours = {
        "skin": (0.87, 0.68, 0.57), "hair": (0.27, 0.19, 0.13), "iris": (0.36, 0.42, 0.40),
        "clothes": (0.28, 0.38, 0.52), "trim": (0.24, 0.33, 0.46), "frame": (0.12, 0.11, 0.11),
        "lens": (0.10, 0.10, 0.11), "headwear": (0.20, 0.30, 0.42), "face_mask": (0.55, 0.70, 0.80),
        "lip": (0.72, 0.38, 0.36), "eye_paint": (0.4, 0.3, 0.3),
    }  # fmt: skip
    strengths = {
        "lip_strength": 0.7, "eye_paint_strength": 0.0, "brow_strength": 0.8, "lash_strength": 0.75, "blush": 0.35,
        "stubble": 0.0, "scalp": 0.9, "occlusion": 0.9, "freckles": 0.0, "age": 0.15, "mottle": 0.25,
    }  # fmt: skip
    return Palette(
        **{name: torch.tensor([value]) for name, value in colours.items()},
        **{name: torch.tensor([value]) for name, value in strengths.items()},
    )


def sample_palettes(draws: Draws) -> Palette:
    """Random choices: every skin tone equally likely, hair and eyes that go with it, some with make-up or stubble."""
    tone, grey = draws.uniform(0, 1), draws.chance(0.16)
    skin = draws.along(SKIN_TONES, tone) * draws.uniform(0.94, 1.05, 1) * (1 + draws.uniform(-0.03, 0.03, 3))
    fair = tone < 0.5
    hair = torch.where(
        fair[:, None] | draws.chance(0.06)[:, None],
        draws.along(HAIR_COLOURS, draws.uniform(0, 1)),
        draws.along(HAIR_COLOURS[:_DARK_HAIR], draws.uniform(0, 1)),
    )
    hair = torch.where(grey[:, None], draws.along(GREY_HAIR, draws.uniform(0, 1)), hair)
    iris = torch.where(
        fair[:, None],
        draws.along(IRIS_COLOURS, draws.uniform(0, 1)),
        draws.along(IRIS_COLOURS[:_DARK_EYES], draws.uniform(0, 1)),
    )
    painted = draws.chance(0.25)
    natural_lip = skin * _LIP_TINT * (1 + draws.uniform(-0.06, 0.06, 3))
    lip = torch.where(painted[:, None], draws.along(LIPSTICKS, draws.uniform(0, 1)), natural_lip)
    return Palette(
        skin=skin.clamp(0.08, 1),
        hair=hair,
        iris=iris,
        clothes=_cloth(draws),
        trim=_cloth(draws),
        frame=draws.along(_FRAMES, draws.uniform(0, 1) ** 1.5),
        lens=draws.uniform(0.03, 0.16, 1) + draws.uniform(0, 0.07, 3),
        headwear=_cloth(draws),
        face_mask=_CLOTH_MASKS[draws.one_of((3, 2, 1))] * draws.uniform(0.85, 1.08, 3),
        lip=lip,
        eye_paint=draws.uniform(0.1, 0.6, 3),
        lip_strength=torch.where(painted, draws.uniform(0.5, 0.95), draws.uniform(0.35, 0.9)),
        eye_paint_strength=painted * draws.some(0.6, 0.1, 0.7),
        brow_strength=draws.uniform(0.4, 0.95),
        lash_strength=torch.where(painted, draws.uniform(0.75, 1.0), draws.uniform(0.3, 0.9)),
        blush=draws.uniform(0.0, 0.7),
        stubble=~painted * draws.some(0.35, 0.1, 0.8),
        scalp=draws.uniform(0.45, 0.95),
        occlusion=draws.uniform(0.5, 1.15),
        freckles=draws.some(0.15, 0.2, 0.8),
        age=torch.where(grey, draws.uniform(0.4, 1.0), draws.uniform(0, 0.5) ** 1.5),
        mottle=draws.uniform(0.2, 1.0),
    )


def _cloth(draws: Draws) -> Tensor:
    """``(B, 3)``: dyed, seldom garish."""
    vivid = draws.uniform(0, 1, 1) ** 2
    return (1 - vivid) * draws.uniform(0.06, 0.92, 1) + vivid * draws.uniform(0.05, 0.95, 3)


def grain_strengths(palette: Palette) -> Tensor:
    """``(B, 4)``: how much of each grain of ``composition.GRAINS`` is to be seen."""
    whole = torch.ones_like(palette.age)
    return torch.stack(
        [0.4 * whole + palette.age + 0.4 * palette.mottle, whole, palette.brow_strength, palette.stubble], 1
    )


class _Paintbox:
    """Coats in the making."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette
        self.places: list[str] = []
        self.colours: list[Tensor] = []
        self.strengths: list[Tensor] = []

    def coat(self, place: str, colour: Tensor | tuple[float, float, float], strength: Tensor | float = 1.0) -> None:
        """Lays ``colour`` ``(B, 3)`` on a place; ``strength`` is ``(B,)``, ``(B, 3)`` or one number."""
        like = self.palette.skin
        value = torch.as_tensor(strength, dtype=like.dtype, device=like.device)
        value = value[:, None] if value.ndim == 1 else value
        self.places.append(place)
        self.colours.append(torch.as_tensor(colour, dtype=like.dtype, device=like.device).expand(like.shape))
        self.strengths.append(value.expand(like.shape).clamp(0, 1))

    def shade(self, place: str, share: Tensor) -> None:
        """Takes the share ``(B,)`` of the light, on skin."""
        self.coat(place, (0.0, 0.0, 0.0), share[:, None] * _SHADE.to(share))

    def done(self) -> Coats:
        return Coats(tuple(self.places), torch.stack(self.colours, 1), torch.stack(self.strengths, 1))


def coats(palette: Palette) -> Coats:
    """The paint of a batch of looks, from the skin outward."""
    box = _Paintbox(palette)
    _paint_skin(box)
    _paint_lips_and_lids(box)
    _paint_hair(box)
    _paint_eyes_and_mouth(box)
    _paint_worn(box)
    return box.done()


def _paint_skin(box: _Paintbox) -> None:
    p = box.palette
    box.coat("all", p.skin)
    for number, (tint, share) in enumerate(_MOTTLE):
        box.coat(f"pattern:{number}", (p.skin * p.skin.new_tensor(tint)).clamp(0, 1), share * p.mottle)
    rosy = p.skin * p.skin.new_tensor((1.02, 0.80, 0.80))
    for place, strength in (("cheeks", 0.8), ("nose_tip", 0.5), ("ear_hollow", 0.5)):
        box.coat(place, rosy.clamp(max=1), strength * p.blush)
    box.coat("cheeks*pattern:5", p.skin * p.skin.new_tensor((0.72, 0.60, 0.52)), p.freckles)
    for place, share in _DARKENING.items():
        box.shade(place, share * p.occlusion)
    box.shade("smile_fold", 0.16 * p.age)
    box.shade("nostrils", torch.full_like(p.occlusion, 0.78))


def _paint_lips_and_lids(box: _Paintbox) -> None:
    p = box.palette
    box.coat("lips", p.lip, p.lip_strength)
    box.shade("lip_line", torch.full_like(p.occlusion, 0.3))
    box.coat("eye_shadow", p.eye_paint, p.eye_paint_strength)


def _paint_hair(box: _Paintbox) -> None:
    p = box.palette
    brow = 0.75 * p.hair + 0.015
    box.coat("brows", brow, 0.8 * p.brow_strength)
    box.coat("beard", brow, 0.55 * p.stubble)
    box.coat("scalp", 0.7 * p.hair, p.scalp)
    for region in ("hair", "beard"):
        box.coat(f"region:{region}", p.hair)
        box.coat(f"region:{region}*{region}_pattern", (1.3 * p.hair + 0.02).clamp(max=1))
        box.coat(f"region:{region}*!{region}_pattern", 0.62 * p.hair)
    box.coat("lashes", (0.10, 0.07, 0.06), p.lash_strength)


def _paint_eyes_and_mouth(box: _Paintbox) -> None:
    p = box.palette
    box.coat("region:eyes", (0.90, 0.88, 0.86))
    box.coat("region:eyes*iris", p.iris)
    box.coat("region:eyes*limbus", 0.4 * p.iris, 0.75)
    box.coat("region:eyes*pupil", (0.03, 0.025, 0.025))
    box.coat("region:eyes*eye_shadow", (0.0, 0.0, 0.0), 0.5 * p.occlusion)
    box.coat("region:lid margins", 0.5 * p.skin + p.skin.new_tensor((0.41, 0.26, 0.24)))
    box.coat("region:mouth", (0.46, 0.20, 0.19))
    box.coat("region:mouth*mouth_depth", (0.02, 0.01, 0.01), 0.9)
    box.coat("region:upper teeth", (0.92, 0.89, 0.83))
    box.coat("region:lower teeth", (0.88, 0.85, 0.79))
    box.coat("teeth_shadow", (0.0, 0.0, 0.0), 0.5)
    box.coat("region:tongue", (0.72, 0.40, 0.39))


def _paint_worn(box: _Paintbox) -> None:
    p = box.palette
    box.coat("region:clothes", p.clothes)
    box.coat("region:clothes*pattern:0", p.trim, 0.3)
    for place, colour in (("cap", p.headwear), ("mask", p.face_mask), ("lenses", p.lens), ("glasses", p.frame)):
        box.coat(f"region:{place}", colour)
    box.coat("region:cap*pattern:2", 0.8 * p.headwear, 0.5)
    box.coat("region:mask*pattern:1", 0.88 * p.face_mask, 0.5)


def default_albedo(model: MorphableModel) -> Tensor:
    """The fixed, neutral look of the figures: ``(V, 3)`` float32 RGB in [0, 1]."""
    return lay(model, coats(default_palette()))[0].to(model.mean.device)


def sample_albedo(model: MorphableModel, generator: torch.Generator) -> Tensor:
    """A random look: ``(V, 3)`` float32 RGB albedo in [0, 1]."""
    return lay(model, coats(sample_palettes(Draws(1, generator))))[0].to(model.mean.device)
