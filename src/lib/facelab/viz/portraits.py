"""Faces before a plain wall, for figures: the same studio for every picture, one thing changed at a time."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar

import torch
from torch import Tensor

from facelab.data.synthetic.appearance import Palette, default_palette
from facelab.data.synthetic.background import Backdrop
from facelab.data.synthetic.light import Light, ambient_of
from facelab.data.synthetic.scene import Picture, Scene, render_scene
from facelab.face3d import MorphableModel
from facelab.geometry import WeakPerspective, rotation_matrix

Choices = TypeVar("Choices", Palette, Light)

_HEADROOM = 0.07  # of the picture: the middle of the landmarks lies lower by this share
WALL = (0.93, 0.93, 0.92)
_SKY = ((0.0, 1.0, 0.2), (0.0, -1.0, 0.3), (-0.6, 0.2, 0.8), (0.7, 0.1, 0.7))
_POWER = (0.22, 0.12, 0.28, 0.16)


def studio_light(direction: Sequence[float] = (-0.45, 0.55, 0.75), lamp: float = 0.55, soft: float = 1.0) -> Light:
    """Light on one scene.

    Args:
        direction: to the lamp, in the axes of the viewer (x right, y up, z to the viewer). lamp: its strength.
        soft: strength of the light from all around.
    """
    sky = torch.nn.functional.normalize(torch.tensor(_SKY), dim=1)[None]
    power = soft * torch.tensor(_POWER)[None, :, None].expand(1, -1, 3)
    return Light(
        ambient=ambient_of(sky, power),
        direction=torch.nn.functional.normalize(torch.tensor(direction, dtype=torch.float32), dim=0)[None],
        lamp=torch.full((1, 3), lamp),
        gloss=torch.tensor([0.3]),
        exposure=torch.tensor([0.68]),
    )


def portraits(
    model: MorphableModel,
    angles: Tensor,
    identity: Tensor | None = None,
    expression: Tensor | None = None,
    style: Tensor | None = None,
    palette: Palette | None = None,
    light: Light | None = None,
    size: int = 200,
    margin: float = 1.9,
) -> Picture:
    """Pictures of B faces before the same wall, at one scale, with their exact labels.

    Args:
        model: the face. angles: ``(B, 3)`` degrees pitch, yaw, roll.
        identity, expression, style: raw coefficients ``(B, k)``, ``(1, k)`` or ``(k,)``; None is the mean face,
            neutral and bare.
        palette: colours of one face or of B; the default look if not given. light: of one scene or of B.
        size: side of the pictures in pixels. margin: that side over the height of the mean landmarks.
    """
    count = len(angles)
    pose = angles.deg2rad()
    rotation = rotation_matrix(*pose.unbind(1))
    coefficients = {
        "identity": _rows(identity, len(model.identity), count),
        "expression": _rows(expression, len(model.expression), count),
        "style": _rows(style, len(model.style), count),
    }
    scene = Scene(
        **coefficients,
        pose=pose,
        camera=_camera(model, rotation, coefficients, size, margin),
        palette=_repeated(palette or default_palette(), count),
        light=_repeated(light or studio_light(), count),
        background=Backdrop.plain(torch.tensor(WALL), count),
        size=size,
    )
    return render_scene(model, scene)


def portrait_camera(model: MorphableModel, angles: Tensor, size: int = 200, margin: float = 1.9) -> WeakPerspective:
    """The camera of :func:`portraits` for the mean face; angles ``(B, 3)`` degrees."""
    rotation = rotation_matrix(*angles.deg2rad().unbind(1))
    return _camera(model, rotation, {}, size, margin)


def _camera(
    model: MorphableModel, rotation: Tensor, coefficients: dict[str, Tensor], size: int, margin: float
) -> WeakPerspective:
    """One scale for all; the box of the turned landmarks in the middle, less the room for the hair."""
    height = torch.aminmax(model.mean[1, model.landmarks])
    scale = torch.full((len(rotation),), size / (margin * float(height.max - height.min)))
    landmarks = model.landmarks_of(model.vertices(**coefficients)) @ rotation.transpose(1, 2)
    middle = (landmarks[..., :2].amin(1) + landmarks[..., :2].amax(1)) / 2 * landmarks.new_tensor([1.0, -1.0])
    centre = middle.new_tensor([(size - 1) / 2, (size - 1) / 2 + _HEADROOM * size])
    return WeakPerspective(scale, rotation, centre - scale[:, None] * middle)


def _rows(given: Tensor | None, modes: int, count: int) -> Tensor:
    """Coefficients ``(count, modes)``: repeated where there is one row, zeros where there are fewer modes."""
    if given is None:
        return torch.zeros(count, modes)
    rows = given[None] if given.ndim == 1 else given
    padded = torch.nn.functional.pad(rows, (0, modes - rows.shape[1]))
    return padded.expand(count, -1).contiguous()


def _repeated(choices: Choices, count: int) -> Choices:
    """The choices of one face for ``count`` of them; those of ``count`` faces as they are."""
    values = {field.name: getattr(choices, field.name) for field in fields(choices)}
    return type(choices)(**{name: value.expand(count, *value.shape[1:]) for name, value in values.items()})
