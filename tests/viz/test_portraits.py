"""Portraits: one studio, exact labels, nothing changes but what is asked for."""

from dataclasses import replace

import torch

from facelab import viz
from facelab.data.synthetic.appearance import default_palette
from facelab.face3d import builtin_face
from facelab.viz.portraits import WALL


def test_landmarks_lie_in_one_place_at_one_scale() -> None:
    face = builtin_face()
    picture = viz.portraits(face, torch.tensor([[0.0, 0, 0], [0, 60, 0], [20, -40, 0]]), size=96)
    assert picture.image.shape == (3, 3, 96, 96)
    low, high = picture.landmarks[..., :2].amin(1), picture.landmarks[..., :2].amax(1)
    expected = torch.tensor([[47.5, 47.5 + 0.07 * 96]]).expand(3, 2)
    torch.testing.assert_close((low + high) / 2, expected, atol=0.01, rtol=0)
    camera = viz.portrait_camera(face, torch.tensor([[0.0, 60, 0]]), size=96)
    expected = camera.project(face.landmarks_of(face.vertices()))
    torch.testing.assert_close(picture.landmarks[1:2], expected, atol=1e-2, rtol=0)


def test_the_wall_is_plain_and_the_face_is_on_it() -> None:
    face = builtin_face()
    image = viz.portraits(face, torch.zeros(1, 3), size=64).image[0]
    torch.testing.assert_close(image[:, :4, :4], torch.tensor(WALL)[:, None, None].expand(3, 4, 4))
    assert (image[:, 30:34, 30:34] - torch.tensor(WALL)[:, None, None]).abs().mean() > 0.1


def test_coefficients_palette_and_light_reach_the_picture() -> None:
    face = builtin_face()
    angles = torch.zeros(2, 3)
    plain = viz.portraits(face, angles, size=48)
    torch.testing.assert_close(plain.image[0], plain.image[1])
    smile = torch.zeros(2, 2)
    smile[1, face.expression_names.index("smile")] = 1
    smiling = viz.portraits(face, angles, expression=smile, size=48)
    torch.testing.assert_close(smiling.image[0], plain.image[0])
    assert (smiling.landmarks[1, 48] - plain.landmarks[1, 48]).norm() > 0.5
    dark = replace(default_palette(), skin=torch.tensor([[0.3, 0.2, 0.15]]))
    for changed in (
        viz.portraits(face, angles, palette=dark, size=48),
        viz.portraits(face, angles, light=viz.studio_light((1.0, 0.2, 0.3)), size=48),
        viz.portraits(face, angles, style=face.wearing("hair_long"), size=48),
    ):
        assert (changed.image - plain.image).abs().mean() > 0.01
        torch.testing.assert_close(changed.landmarks, plain.landmarks)
