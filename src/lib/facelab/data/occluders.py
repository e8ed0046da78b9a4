"""Things in front of a face: hands, poles, hair, phones, masks, papers, microphones, patches and glare.

Each is drawn by signed distances on the pixel grid of a batch, with soft edges, a round-looking shade and a shadow on
what is behind. Lengths are in *face units*: half of the longer side of the face, about 7 cm. Landmarks stay where they
are; :func:`occlude` says which pixels are covered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facelab.data.colours import HAIR_COLOURS, SKIN_TONES
from facelab.data.draws import Draws
from facelab.data.occluder_shapes import NUMBERS, Layer, View, capsule, flat, hull, lit, mix, rounded_box
from facelab.data.sample import landmark_box
from facelab.markups import markup as markup_of

_CLOTH = torch.tensor([
    (0.50, 0.71, 0.84), (0.55, 0.76, 0.72), (0.93, 0.94, 0.95), (0.10, 0.10, 0.12), (0.90, 0.66, 0.72),
    (0.20, 0.28, 0.45), (0.55, 0.16, 0.18), (0.42, 0.45, 0.40),
])  # fmt: skip
# Outline of what a mask covers, of a face without landmarks: bridge of the nose, cheeks, jaw, chin.
_LOWER_FACE = torch.tensor([
    (-0.1, -0.25), (0.1, -0.25), (0.8, 0.1), (0.75, 0.55), (0.45, 0.95), (0.0, 1.05), (-0.45, 0.95), (-0.75, 0.55),
    (-0.8, 0.1),
])  # fmt: skip
_TAPER = torch.tensor([0.6, 0.45])  # radius of a microphone's handle at its ends, in radii of its head
_EARS = torch.tensor([(-1.0, -0.2), (1.0, -0.2)])


def occlude(
    images: Tensor,
    landmarks: Tensor | None,
    generator: torch.Generator,
    probability: float = 0.4,
    kinds: Sequence[str] | None = None,
    markup: str = "68",
) -> tuple[Tensor, Tensor]:
    """Draws one thing in front of some of the faces.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1], on any device.
        landmarks: ``(B, L, 2 or 3)`` pixels, NaN where missing; None: the face fills the middle of the picture.
        generator: on the CPU. probability: of a face to be occluded.
        kinds: drawn equally often; all :data:`OCCLUDERS` if not given.
        markup: of the landmarks; a mask follows its jaw and its nose where it has them.
    Returns:
        The pictures, and ``(B, H, W)`` bool: the pixels that are covered.
    Raises:
        ValueError: on a wrong shape, an unknown kind, or a probability outside of [0, 1].
    """
    kinds = tuple(OCCLUDERS if kinds is None else kinds)
    _check(images, landmarks, probability, kinds, markup)
    count, _, height, width = images.shape
    draws = Draws(count, generator)
    chosen = draws.chance(probability)
    kind = draws.one_of([1.0] * len(kinds))
    numbers, noise_seed = draws.uniform(0, 1, NUMBERS), int(torch.randint(2**62, (), generator=generator))
    images, covered = images.clone(), torch.zeros(count, height, width, dtype=torch.bool, device=images.device)
    for index, name in enumerate(kinds):
        which = (chosen & (kind == index)).nonzero()[:, 0].to(images.device)
        if not len(which):
            continue
        points = None if landmarks is None else landmarks.to(images.device)[which, :, :2]
        view = View.of(images[which], points, numbers.to(images.device)[which], noise_seed, markup)
        layer = _PAINTERS[name](view)
        shaded = view.picture * (1 - layer.shadow)[:, None]
        images[which] = torch.lerp(shaded, layer.colour.clamp(0, 1), layer.alpha[:, None])
        covered[which] = layer.alpha > 0.5
    return images, covered


def covered_at(covered: Tensor, landmarks: Tensor) -> Tensor:
    """``(B, L)`` bool: whether the pixel of a landmark is set in ``(B, H, W)``; False outside and where missing."""
    height, width = covered.shape[1:]
    column, row = landmarks[..., 0].round(), landmarks[..., 1].round()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    place = torch.where(inside, row * width + column, torch.zeros_like(row)).long()
    return covered.flatten(1).gather(1, place) & inside


def _check(images: Tensor, landmarks: Tensor | None, probability: float, kinds: Sequence[str], markup: str) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ValueError(f"images: expected floating-point (B, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    expected = (len(images), markup_of(markup).points)
    if landmarks is not None and (landmarks.shape[:2] != expected or landmarks.shape[2:] not in ((2,), (3,))):
        raise ValueError(f"landmarks: expected {expected} x 2 or 3 for {markup!r}, got {tuple(landmarks.shape)}")
    if not 0 <= probability <= 1:
        raise ValueError(f"probability: expected a number in [0, 1], got {probability}")
    if not kinds or not set(kinds) <= set(OCCLUDERS):
        raise ValueError(f"kinds: expected some of {', '.join(OCCLUDERS)}, got {', '.join(kinds) or 'none'}")


def _hand(view: View) -> Layer:
    """A hand with its forearm, bare or in a sleeve, that comes from outside the face; back or palm."""
    angle = torch.pi + view.uniform(-2.1, 2.1)
    towards = torch.stack([-angle.sin(), angle.cos()], 1)
    size = view.uniform(0.85, 1.15)
    origin = view.near_a_spot() - towards * (size * view.uniform(0.0, 0.7))[:, None]
    grid = view.local(origin, angle, size) * _side(view)
    nearest, top = _topmost(grid, *_hand_bones(view))
    finger, arm = top.number < 5, top.number == 10
    # Fingers are round; palm and arm are flatter.
    shade = lit(view.light(), top.offset * torch.where(finger, 0.9, 0.45)[:, None])
    for joint in (0.38, 0.72):
        shade = shade - 0.12 * finger * torch.exp(-(((top.along - joint) / 0.025) ** 2))
    colour = flat(_skin(view), shade)
    nail = finger & (view.uniform(0, 1)[:, None, None] < 0.6) & (top.along > 0.86) & (top.offset.square().sum(1) < 0.35)
    colour = mix(colour, colour * 0.8 + 0.16, nail.to(shade))
    sleeve = arm & (top.along > view.uniform(0.1, 1.3)[:, None, None])
    colour = mix(colour, flat(view.any_colour(), shade), sleeve.to(shade))
    return view.solid(nearest * size[:, None, None], colour)


@dataclass(frozen=True)
class _Surface:
    """The bone on top of each pixel: its ``number``, the place ``along`` it, the ``offset`` from its axis in radii."""

    number: Tensor
    along: Tensor
    offset: Tensor


def _topmost(grid: Tensor, ends: Tensor, radii: Tensor) -> tuple[Tensor, _Surface]:
    """Distance ``(b, H, W)`` to the union of capsules, and which is seen where."""
    nearest, height = torch.full_like(grid[:, 0], torch.inf), torch.full_like(grid[:, 0], -torch.inf)
    top = _Surface(torch.zeros_like(height, dtype=torch.uint8), torch.zeros_like(height), torch.zeros_like(grid))
    for number in range(ends.shape[1]):
        distance, along, offset = capsule(grid, ends[:, number], radii[:, number])
        radius = torch.lerp(radii[:, number, :1, None], radii[:, number, 1:, None], along)
        above = -distance * (distance + 2 * radius)  # the square of the height of a round surface
        seen = above > height
        nearest, height = torch.minimum(nearest, distance), torch.maximum(height, above)
        top = _Surface(
            top.number.masked_fill(seen, number),
            torch.where(seen, along, top.along),
            torch.where(seen[:, None], offset, top.offset),
        )
    return nearest, top


def _side(view: View) -> Tensor:
    """``(b, 2, 1, 1)``: a left or a right hand."""
    flip = torch.where(view.uniform(0, 1) < 0.5, -1.0, 1.0)
    return torch.stack([flip, torch.ones_like(flip)], 1)[:, :, None, None]


def _hand_bones(view: View) -> tuple[Tensor, Tensor]:
    """Ends ``(b, 11, 2, 2)`` and radii ``(b, 11, 2)``: five fingers, thumb first, their five metacarpals, the forearm.

    Knuckles at y = 0, finger tips at positive y, all in face units; fingers may be spread and bent (shorter).
    """
    spread, bend = view.uniform(0.3, 1.8), view.uniform(0.45, 1.05)
    ends, radii = [], []

    def bone(
        a: tuple[Tensor | float, Tensor | float], b: tuple[Tensor | float, Tensor | float], r: list[float]
    ) -> None:
        rows = [torch.stack([torch.as_tensor(v).to(spread).expand_as(spread) for v in end], 1) for end in (a, b)]
        ends.append(torch.stack(rows, 1))
        radii.append(spread.new_tensor(r).expand(len(spread), 2))

    thumb = 0.5 + 0.35 * spread
    elbow = (-0.62, -0.28)
    bone(elbow, (elbow[0] - 0.62 * thumb.sin(), elbow[1] + 0.62 * thumb.cos()), [0.17, 0.13])
    knuckles = [(x, 0.06 - 0.35 * x * x) for x in (-0.42, -0.14, 0.14, 0.40)]
    for (x, y), length in zip(knuckles, (0.92, 1.04, 0.98, 0.76), strict=True):
        reach = length * (bend + view.uniform(-0.08, 0.08))
        lean = 0.3 * x * spread
        bone((x, y), (x + reach * lean.sin(), y + reach * lean.cos()), [0.145, 0.115])
    bone((-0.18, -1.05), elbow, [0.3, 0.2])
    for x, y in knuckles:
        bone((0.55 * x, -1.15), (x, y), [0.28, 0.17])
    bone((0.0, -1.05), (0.0, -5.0), [0.31, 0.6])
    return torch.stack(ends, 1), torch.stack(radii, 1)


def _skin(view: View) -> Tensor:
    """``(b, 3)``: that of the face, as it looks in its picture, or any other."""
    own = (view.grid.square().sum(1) < 0.16).to(view.picture)[:, None]
    mean = (view.picture * own).sum((2, 3)) / own.sum((2, 3)).clamp_min(1)
    return torch.where(
        view.uniform(0, 1)[:, None] < 0.5, mean * view.uniform(0.85, 1.2)[:, None], view.along(SKIN_TONES)
    )


def _bar(view: View) -> Layer:
    """A pole or a cord right across the picture."""
    angle, place = view.uniform(-1.3, 1.3), view.uniform(-0.8, 0.8)
    centre = torch.stack([place * angle.cos(), place * angle.sin()], 1)
    radius = 0.03 + 0.3 * view.uniform(0, 1) ** 2
    x = view.local(centre, angle)[:, 0]
    across = torch.stack([x, torch.zeros_like(x)], 1) / radius[:, None, None, None]
    turned = angle[:, None, None, None]
    normal = torch.cat([across[:, :1] * turned.cos(), across[:, :1] * turned.sin()], 1)
    return view.solid(x.abs() - radius[:, None, None], flat(view.any_colour(), lit(view.light(), normal, 0.35)))


def _hair(view: View) -> Layer:
    """A lock of hair that hangs over the face: fine strands that bend together and thin out at the end."""
    origin = torch.stack([view.uniform(-0.9, 0.9), view.uniform(-1.7, -1.3)], 1)
    x, y = view.local(origin, view.uniform(-0.5, 0.5)).unbind(1)
    bend, wave, phase, width, length, spacing = (
        view.uniform(low, high)[:, None, None]
        for low, high in ((-0.2, 0.2), (0.0, 0.05), (0, 6), (0.12, 0.7), (1.3, 3.2), (0.05, 0.1))
    )
    x = x - bend * y * y - wave * (4 * y + phase).cos()
    down = (y / length).clamp(0, 1)
    strand = x / (spacing * (1 - 0.4 * down))
    turned = strand + 0.25 * (1.9 * y + phase).sin()
    fine, coarse = _ripples(turned, (4.1, 7.3, 11.9), phase), _ripples(turned, (0.9, 1.7, 2.3), 2 * phase)
    edge = 1 - x.abs() / (width * (1 - 0.3 * down))  # 1 in the middle of the lock, 0 at its border
    tip = (length * (0.6 + 0.4 * fine) - y) / 0.3
    alpha = ((2 * edge + 0.6 * fine + 0.9 * coarse - 0.9) / 0.4).clamp(0, 1) * tip.clamp(0, 1) * (edge > 0)
    sheen = torch.exp(-(((down - 0.35) / 0.2) ** 2))
    shade = 0.5 + 0.35 * coarse + 0.4 * fine + 0.35 * sheen * (0.3 + coarse)
    return Layer(alpha, flat(view.along(HAIR_COLOURS), shade), 0.25 * (1 + 2 * edge).clamp(0, 1) * tip.clamp(0, 1))


def _ripples(place: Tensor, frequencies: tuple[float, ...], phase: Tensor) -> Tensor:
    """An irregular wave in [0, 1]: cosines of frequencies that do not divide each other."""
    waves = [(frequency * place + (1 + number) * phase).cos() for number, frequency in enumerate(frequencies)]
    return 0.5 + 0.5 * torch.stack(waves).mean(0)


def _phone(view: View) -> Layer:
    """The back of a telephone: a rounded slab with its lenses and a sheen."""
    size = view.uniform(0.85, 1.15)
    grid = view.local(view.near_a_spot() + torch.tensor([0.0, 0.25]).to(size), view.uniform(-0.9, 0.9), size)
    distance = rounded_box(grid, grid.new_tensor([[0.52, 1.06]]), 0.13)
    sheen = 0.85 + 0.35 * torch.sin(view.uniform(0.5, 2)[:, None, None] * (grid[:, 0] - grid[:, 1]) + 1)
    body = view.any_colour()
    colour = flat(body, sheen)
    colour = mix(colour, flat(body * 0.5 + 0.35), (1 - (distance + 0.03).abs() / 0.03).clamp(0, 1))
    island = rounded_box(grid - grid.new_tensor([-0.22, -0.76])[:, None, None], grid.new_tensor([[0.22, 0.22]]), 0.08)
    colour = mix(colour, flat(body * 0.8 + 0.05), _inside(island))
    for x, y in ((-0.32, -0.86), (-0.12, -0.76), (-0.32, -0.66)):
        radius = (grid - grid.new_tensor([x, y])[:, None, None]).square().sum(1).sqrt()
        colour = mix(colour, grid.new_full((1, 3, 1, 1), 0.04), _inside(radius - 0.085))
        colour = mix(colour, grid.new_full((1, 3, 1, 1), 0.4), _inside((radius - 0.06).abs() - 0.008))
    return view.solid(distance * size[:, None, None], colour)


def _inside(distance: Tensor) -> Tensor:
    """1 inside, 0 outside, with a narrow slope: for details of a thing."""
    return (0.5 - distance / 0.03).clamp(0, 1)


def _mask(view: View) -> Layer:
    """A cloth or surgical mask over nose, mouth and chin, with pleats and straps to the ears."""
    outline, straps = _mask_outline(view)
    distance = hull(view.grid, outline) - 0.03
    box = landmark_box(outline)
    middle, half = (box[:, :2] + box[:, 2:]) / 2, ((box[:, 2:] - box[:, :2]) / 2).clamp_min(0.1)
    across = (view.grid - middle[:, :, None, None]) / half[:, :, None, None]
    shade = lit(view.light(), 0.75 * across, 0.55)
    heights = across.new_tensor([-0.35, 0.0, 0.35])[:, None, None]
    pleats = torch.exp(-(((across[:, 1:] + 0.1 * across[:, :1] ** 2 - heights) / 0.04) ** 2)).sum(1)
    seam = torch.exp(-(((distance + 0.06) / 0.015) ** 2))
    shade = shade * (1 - 0.16 * pleats * (view.uniform(0, 1)[:, None, None] < 0.7)) * (1 - 0.12 * seam)
    cloth = view.one_of(_CLOTH) * view.uniform(0.85, 1.1)[:, None]
    sides = (capsule(view.grid, ends, torch.full_like(ends[..., 0], 0.02))[0] for ends in straps.unbind(1))
    strap = torch.minimum(*sides)
    colour = mix(flat(cloth, shade), flat(cloth * 0.3 + 0.6), (strap < distance).to(shade))
    return view.solid(torch.minimum(distance, strap), colour)


def _mask_outline(view: View) -> tuple[Tensor, Tensor]:
    """Points ``(b, N, 2)`` whose hull is the mask, and both straps ``(b, 2, 2, 2)``, in face units.

    They follow the landmarks of jaw and nose where all of them are there, else an upright face.
    """
    groups = markup_of(view.markup).groups
    template, ears = (rows.to(view.grid).expand(len(view.grid), -1, -1) for rows in (_LOWER_FACE, _EARS))
    outline, straps = template, torch.stack([template[:, [0, -3]], ears], 2)
    if view.landmarks is None or not {"jaw", "nose bridge", "nose base"} <= groups.keys():
        return outline, straps
    nose = view.landmarks[:, [*groups["nose bridge"][1:], *groups["nose base"]]]
    jaw = view.landmarks[:, list(groups["jaw"])]
    edge = round(0.14 * (jaw.shape[1] - 1))
    lower = jaw[:, edge : jaw.shape[1] - edge]
    inward = 0.12 * torch.linspace(-1, 1, lower.shape[1]).to(lower).abs()[:, None]  # cheeks, not chin
    lower = torch.lerp(lower, nose.mean(1, keepdim=True), inward)
    bridge = view.landmarks[:, groups["nose bridge"][0], None], nose[:, :1]
    cheeks = torch.lerp(bridge[1], lower[:, [0, -1]], 0.4) + 0.8 * (bridge[0] - bridge[1])
    # Both outlines are filled to one length, since each face takes its own.
    known = torch.cat([lower, cheeks, nose], 1)
    filled = torch.cat([template, template[:, :1].expand(-1, known.shape[1] - template.shape[1], -1)], 1)
    whole = torch.cat([known, jaw], 1).isfinite().all(2).all(1)[:, None, None]
    own_straps = torch.stack([lower[:, [0, -1]], jaw[:, [0, -1]]], 2)
    return torch.where(whole, known, filled), torch.where(whole[..., None], own_straps, straps)


def _paper(view: View) -> Layer:
    """A printed page, a card or the cover of a book, held into the face from any side."""
    side, size = view.uniform(0, 2 * torch.pi), view.uniform(0.7, 1.3)
    away = (size * view.uniform(0.9, 1.4))[:, None]
    grid = view.local(torch.stack([side.cos(), side.sin()], 1) * away, view.uniform(-0.6, 0.6), size)
    half = torch.stack([view.uniform(0.6, 1.0), view.uniform(0.7, 1.3)], 1)
    distance = rounded_box(grid, half, 0.02)
    printed = (view.uniform(0, 1) < 0.6)[:, None]
    ground = torch.where(printed, view.uniform(0.75, 0.98)[:, None].expand(-1, 3), view.any_colour())
    x, y = grid.unbind(1)
    line = (y / 0.11).floor()
    word = torch.sin(17 * x + 5.3 * line).abs() * torch.sin(7.1 * x - 2.9 * line).abs()
    ink = (((y / 0.11) - line - 0.5).abs() < 0.22) & (word > 0.12) & (distance < -0.12)
    colour = mix(flat(ground, 0.95 + 0.08 * x), flat(ground * 0.25), ink * printed[..., None] * 0.8)
    return view.solid(distance * size[:, None, None], colour)


def _microphone(view: View) -> Layer:
    """A ball of wire mesh on a handle, before the mouth."""
    head = torch.stack([view.uniform(-0.35, 0.35), view.uniform(0.45, 0.95)], 1)
    angle = view.uniform(-0.9, 0.9)
    down = torch.stack([-angle.sin(), angle.cos()], 1)
    radius = view.uniform(0.26, 0.38)
    distance, _, across = capsule(
        view.grid, torch.stack([head, head + 5 * down], 1), radius[:, None] * _TAPER.to(radius)
    )
    ball = (view.grid - head[:, :, None, None]) / radius[:, None, None, None]
    x, y = (ball * 14).unbind(1)
    light, mesh = view.light(), 0.65 + 0.35 * (x + y).sin() * (x - y).sin()
    wire = flat(view.uniform(0.12, 0.75)[:, None].expand(-1, 3), mesh * lit(light, ball, 0.3))
    before = radius[:, None, None] * (ball.square().sum(1).sqrt() - 1)
    colour = mix(flat(view.any_colour() * 0.5, lit(light, across, 0.3)), wire, (before < 0).to(mesh))
    return view.solid(torch.minimum(distance, before), colour)


def _cutout(view: View) -> Layer:
    """A rectangle, each side 10 % to 40 % of the picture's: one colour, noise, stripes or another part of the picture.

    Source: FAN occludes, but does not say how.
    """
    height, width = view.picture.shape[2:]
    ys, xs = (torch.arange(n, device=view.grid.device) / n for n in (height, width))
    half = [view.uniform(0.05, 0.2)[:, None, None] for _ in range(2)]
    middle = [view.uniform(0, 1)[:, None, None] for _ in range(2)]
    inside = ((xs - middle[0]).abs() < half[0]) & ((ys[:, None] - middle[1]).abs() < half[1])
    ground = flat(view.any_colour())
    generator = torch.Generator().manual_seed(view.seed)
    noise = torch.randn(view.picture.shape, generator=generator).to(view.picture)
    period, turn = view.uniform(10, 60)[:, None, None], view.uniform(0, 3.2)[:, None, None]
    stripes = (0.5 + 3 * (period * (xs * turn.cos() + ys[:, None] * turn.sin())).sin()).clamp(0, 1)
    textures = torch.stack([
        (ground + 0.05 * noise).expand_as(noise),
        ground + 0.3 * noise,
        mix(ground.expand_as(noise), flat(view.any_colour()), stripes),
        view.picture.roll((height // 2, width // 3), (2, 3)),
    ])  # fmt: skip
    texture = view.uniform(0, len(textures)).long().clamp_max(len(textures) - 1)
    colour = textures[texture, torch.arange(len(noise), device=noise.device)]
    return Layer(inside.to(noise), colour, torch.zeros_like(noise[:, 0]))


def _glare(view: View) -> Layer:
    """A bright, soft spot: a lamp in the lens or a flash on the skin."""
    centre = torch.stack([view.uniform(-0.9, 0.9), view.uniform(-1.0, 0.8)], 1)
    grid = view.local(centre, view.uniform(0, torch.pi))
    spread = torch.stack([view.uniform(0.2, 0.7), view.uniform(0.15, 0.5)], 1)[:, :, None, None]
    reach = (grid / spread).square().sum(1)
    alpha = view.uniform(0.5, 1.2)[:, None, None] * torch.exp(-reach)
    tint = torch.stack([view.uniform(0.92, 1.0) for _ in range(3)], 1)
    return Layer(alpha.clamp_max(0.98), flat(tint).expand_as(view.picture), torch.zeros_like(alpha))


_PAINTERS: dict[str, Callable[[View], Layer]] = {
    "hand": _hand,
    "bar": _bar,
    "hair": _hair,
    "phone": _phone,
    "mask": _mask,
    "paper": _paper,
    "microphone": _microphone,
    "cutout": _cutout,
    "glare": _glare,
}
OCCLUDERS = tuple(_PAINTERS)
