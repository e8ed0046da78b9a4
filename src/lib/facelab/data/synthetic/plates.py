"""Painted backdrops: rooms, streets, leaves, crowds ... drawn once with plain shapes and a little blur."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Picture = NDArray[Any]  # (side, side, 3) float32 RGB in [0, 1]
PLATE_SIZE = 160
_PLATES = 240


@lru_cache(maxsize=1)
def plates() -> Tensor:
    """``(240, 3, 160, 160)`` uint8, the same in every process."""
    drawn = []
    for number in range(_PLATES):
        rng = np.random.default_rng(number)
        picture = _PAINTERS[number % len(_PAINTERS)](rng)
        blur = rng.uniform(0, 1) ** 2 * 5
        if blur > 0.4:
            picture = cv2.GaussianBlur(picture, (0, 0), blur)
        drawn.append((picture.clip(0, 1) * 255).astype(np.uint8))
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).contiguous()


def _colour(rng: np.random.Generator, low: float = 0.05, high: float = 0.95, vivid: float = 0.5) -> list[float]:
    share = vivid * rng.uniform()
    return ((1 - share) * rng.uniform(low, high) + share * rng.uniform(low, high, 3)).tolist()


def _blank(colour: list[float]) -> Picture:
    return np.tile(np.array(colour, np.float32), (PLATE_SIZE, PLATE_SIZE, 1))


def _gradient(top: list[float], bottom: list[float]) -> Picture:
    share = np.linspace(0, 1, PLATE_SIZE, dtype=np.float32)[:, None, None]
    return np.broadcast_to(
        (1 - share) * np.array(top, np.float32) + share * np.array(bottom, np.float32), (PLATE_SIZE,) * 2 + (3,)
    ).copy()


def _clouds(rng: np.random.Generator, octaves: tuple[int, ...] = (3, 7, 17, 41)) -> Picture:
    """One channel ``(side, side)`` about 0, with detail of several sizes."""
    total: Picture = np.zeros((PLATE_SIZE, PLATE_SIZE), np.float32)
    for number, cells in enumerate(octaves):
        cell = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
        grown: Picture = cv2.resize(cell, (PLATE_SIZE, PLATE_SIZE), interpolation=cv2.INTER_CUBIC)
        total = total + grown / 1.7**number
    return total


def _box(picture: Picture, x: float, y: float, w: float, h: float, colour: list[float]) -> None:
    """A filled rectangle; corner and extent are shares of the side."""
    a, b = (int(x * PLATE_SIZE), int(y * PLATE_SIZE)), (int((x + w) * PLATE_SIZE), int((y + h) * PLATE_SIZE))
    cv2.rectangle(picture, a, b, colour, -1, cv2.LINE_AA)


def _studio(rng: np.random.Generator) -> Picture:
    """A paper roll with a spot of light."""
    picture = _gradient(_colour(rng), _colour(rng))
    y, x = np.mgrid[0 : 1 : PLATE_SIZE * 1j, 0 : 1 : PLATE_SIZE * 1j].astype(np.float32)
    cx, cy, width = rng.uniform(0, 1), rng.uniform(0, 0.7), rng.uniform(0.2, 0.8)
    spot = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / width**2)[..., None].astype(np.float32)
    return picture * (0.7 + rng.uniform(0, 0.6) * spot)


def _bokeh(rng: np.random.Generator) -> Picture:
    """Lights far out of focus."""
    picture = _gradient(_colour(rng, 0.02, 0.4), _colour(rng, 0.02, 0.4))
    for _ in range(rng.integers(10, 50)):
        layer = picture.copy()
        centre = tuple(int(v) for v in rng.integers(0, PLATE_SIZE, 2))
        cv2.circle(layer, centre, int(rng.integers(2, 14)), _colour(rng, 0.3, 1.0, 1.0), -1, cv2.LINE_AA)
        share = rng.uniform(0.2, 0.9)
        picture = (1 - share) * picture + share * layer
    return picture.astype(np.float32)


def _room(rng: np.random.Generator) -> Picture:
    """A wall with a window, pictures, a shelf of books or a door."""
    wall = _colour(rng, 0.25, 0.95, 0.35)
    picture = _gradient(wall, [0.85 * c for c in wall])
    if rng.uniform() < 0.6:
        _box(picture, 0, rng.uniform(0.75, 0.95), 1, 1, _colour(rng, 0.1, 0.5))
    for _ in range(rng.integers(0, 4)):
        x, y, w, h = rng.uniform(-0.1, 0.9), rng.uniform(0, 0.6), rng.uniform(0.12, 0.4), rng.uniform(0.1, 0.4)
        _box(picture, x, y, w, h, _colour(rng))
        _box(picture, x + 0.02, y + 0.02, w - 0.04, h - 0.04, _colour(rng))
    if rng.uniform() < 0.5:
        x, y, w, h = rng.uniform(-0.1, 0.7), rng.uniform(0, 0.3), rng.uniform(0.2, 0.5), rng.uniform(0.3, 0.6)
        _box(picture, x, y, w, h, _colour(rng, 0.75, 1.0, 0.3))
        for share in (0.0, 0.5, 1.0):
            _box(picture, x + share * w, y, 0.012, h, [0.9 * c for c in wall])
            _box(picture, x, y + share * h, w, 0.012, [0.9 * c for c in wall])
    if rng.uniform() < 0.5:
        _shelf(picture, rng)
    return picture


def _shelf(picture: Picture, rng: np.random.Generator) -> None:
    x, top, rows = rng.uniform(-0.2, 0.5), rng.uniform(0, 0.3), int(rng.integers(1, 5))
    width = rng.uniform(0.3, 0.8)
    for row in range(rows):
        floor = top + 0.2 * (row + 1)
        place = x
        while place < x + width:
            w, h = rng.uniform(0.015, 0.05), rng.uniform(0.1, 0.17)
            _box(picture, place, floor - h, w, h, _colour(rng, vivid=0.9))
            place += w + 0.003
        _box(picture, x, floor, width, 0.015, _colour(rng, 0.1, 0.5))


def _leaves(rng: np.random.Generator) -> Picture:
    """Bushes and trees, with sky through them at times."""
    green = np.array([rng.uniform(0.1, 0.5), rng.uniform(0.25, 0.6), rng.uniform(0.05, 0.3)], np.float32)
    picture = (green * (1 + 0.45 * _clouds(rng, (5, 13, 31, 67))[..., None])).astype(np.float32)
    for _ in range(rng.integers(20, 120)):
        centre = tuple(int(v) for v in rng.integers(0, PLATE_SIZE, 2))
        axes = (int(rng.integers(2, 10)), int(rng.integers(1, 4)))
        shade = (green * rng.uniform(0.4, 1.7)).tolist()
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1, cv2.LINE_AA)
    if rng.uniform() < 0.4:
        sky = (_clouds(rng, (3, 9, 23)) > rng.uniform(0.1, 0.8))[..., None]
        picture = np.where(sky, np.array(_colour(rng, 0.7, 1.0, 0.3), np.float32), picture)
    return picture


def _outdoors(rng: np.random.Generator) -> Picture:
    """Sky over hills, sea or a field."""
    picture = _gradient(
        [rng.uniform(0.2, 0.6), rng.uniform(0.45, 0.75), rng.uniform(0.7, 1.0)], _colour(rng, 0.7, 1.0, 0.3)
    )
    picture += (0.12 * _clouds(rng).clip(0, None))[..., None]
    horizon = rng.uniform(0.3, 0.8)
    for layer in range(rng.integers(1, 4)):
        line = (
            horizon
            + 0.08 * layer
            + 0.08 * np.interp(np.linspace(0, 1, PLATE_SIZE), np.linspace(0, 1, 8), rng.uniform(-1, 1, 8))
        )
        below = np.arange(PLATE_SIZE)[:, None] / PLATE_SIZE > line[None]
        ground = np.array(_colour(rng, 0.1, 0.6, 0.6), np.float32) * (1 + 0.15 * _clouds(rng)[..., None])
        picture = np.where(below[..., None], ground, picture)
    return picture.astype(np.float32)


def _street(rng: np.random.Generator) -> Picture:
    """Houses with rows of windows."""
    picture = _gradient(_colour(rng, 0.5, 1.0, 0.4), _colour(rng, 0.5, 1.0, 0.4))
    place = -0.1
    while place < 1:
        width, top = rng.uniform(0.15, 0.5), rng.uniform(-0.1, 0.5)
        wall = _colour(rng, 0.15, 0.8, 0.5)
        _box(picture, place, top, width, 1.2, wall)
        pane, step_x, step_y = _colour(rng, 0.05, 0.9, 0.3), rng.uniform(0.05, 0.12), rng.uniform(0.07, 0.16)
        for x in np.arange(place + 0.02, place + width - 0.5 * step_x, step_x):
            for y in np.arange(top + 0.04, 0.9, step_y):
                _box(picture, x, y, 0.5 * step_x, 0.5 * step_y, [c * rng.uniform(0.7, 1.2) for c in pane])
        place += width
    _box(picture, 0, rng.uniform(0.8, 1.0), 1, 1, _colour(rng, 0.2, 0.5, 0.1))
    return picture


def _wall(rng: np.random.Generator) -> Picture:
    """Bricks, tiles or planks."""
    joint, brick = _colour(rng, 0.3, 0.9, 0.2), _colour(rng, 0.15, 0.9, 0.6)
    picture = _blank(joint)
    h, w = rng.uniform(0.04, 0.2), rng.uniform(0.06, 1.2)
    for row, y in enumerate(np.arange(-h, 1, h)):
        for x in np.arange(-w * (1 + 0.5 * (row % 2)), 1, w):
            _box(picture, x, y, w - 0.012, h - 0.012, [c * rng.uniform(0.82, 1.15) for c in brick])
    picture = picture * (1 + 0.08 * _clouds(rng)[..., None]).astype(np.float32)
    return np.rot90(picture).copy() if rng.uniform() < 0.3 else picture


def _crowd(rng: np.random.Generator) -> Picture:
    """Other people, from far: heads, hair and shoulders without features."""
    picture = _gradient(_colour(rng), _colour(rng))
    for _ in range(rng.integers(3, 14)):
        x, y, r = rng.uniform(0, 1), rng.uniform(0.1, 1.0), rng.uniform(0.05, 0.16)
        skin = np.array([0.9, 0.7, 0.58]) * rng.uniform(0.35, 1.0)
        hair, cloth = _colour(rng, 0.05, 0.4, 0.3), _colour(rng)
        at = [(int(x * PLATE_SIZE), int((y + dy * r) * PLATE_SIZE)) for dy in (2.6, 0.0, -0.45)]
        radii = [(1.9 * r, 1.5 * r), (0.72 * r, r), (0.78 * r, 0.72 * r)]
        for centre, axes, colour in zip(at, radii, (cloth, skin.tolist(), hair), strict=True):
            span = (180, 360) if colour is hair else (0, 360)
            pixels = (int(axes[0] * PLATE_SIZE), int(axes[1] * PLATE_SIZE))
            cv2.ellipse(picture, centre, pixels, 0, *span, colour, -1, cv2.LINE_AA)
    return picture


def _curtain(rng: np.random.Generator) -> Picture:
    """Folds or stripes, upright or slanting."""
    y, x = np.mgrid[0 : 1 : PLATE_SIZE * 1j, 0 : 1 : PLATE_SIZE * 1j].astype(np.float32)
    angle = rng.choice([0.0, 0.0, np.pi / 2, rng.uniform(0, np.pi)])
    along = x * np.cos(angle) + y * np.sin(angle)
    wave = np.sin(2 * np.pi * rng.uniform(3, 14) * along + 1.5 * np.sin(2 * np.pi * rng.uniform(0.5, 3) * along))
    share = (0.5 + 0.5 * (np.sign(wave) if rng.uniform() < 0.4 else wave))[..., None].astype(np.float32)
    return (1 - share) * np.array(_colour(rng), np.float32) + share * np.array(_colour(rng), np.float32)


def _poster(rng: np.random.Generator) -> Picture:
    """Signs and print."""
    picture = _blank(_colour(rng))
    for _ in range(rng.integers(2, 8)):
        _box(
            picture,
            rng.uniform(-0.2, 0.9),
            rng.uniform(-0.2, 0.9),
            rng.uniform(0.1, 0.6),
            rng.uniform(0.05, 0.5),
            _colour(rng, vivid=1.0),
        )
    letters = "ABDEFGHKLMNOPRSTUWXYZ0123456789"
    for _ in range(rng.integers(1, 7)):
        text = "".join(rng.choice(list(letters), int(rng.integers(2, 9))))
        at = tuple(int(v) for v in rng.integers(-20, PLATE_SIZE - 20, 2))
        cv2.putText(
            picture,
            text,
            at,
            int(rng.integers(0, 8)),
            rng.uniform(0.4, 2.0),
            _colour(rng),
            int(rng.integers(1, 4)),
            cv2.LINE_AA,
        )
    return picture


def _mottled(rng: np.random.Generator) -> Picture:
    """A painted cloth, as photographers hang it."""
    first, second = np.array(_colour(rng), np.float32), np.array(_colour(rng), np.float32)
    share = (0.5 + 0.5 * _clouds(rng, (3, 7, 15))).clip(0, 1)[..., None]
    return (1 - share) * first + share * second


_PAINTERS: tuple[Callable[[np.random.Generator], Picture], ...] = (
    _studio, _bokeh, _room, _leaves, _outdoors, _street, _wall, _crowd, _curtain, _poster, _mottled, _room,
)  # fmt: skip
