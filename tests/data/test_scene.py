"""Scenes: light, shade, paint and composition against plain formulas, and the two backends against each other."""

import math

import pytest
import torch

from facelab.data import SceneRanges
from facelab.data.draws import Draws
from facelab.data.synthetic.appearance import coats, sample_palettes
from facelab.data.synthetic.background import Backdrop, sample_backdrops
from facelab.data.synthetic.composition import GRAINS, compose
from facelab.data.synthetic.light import Light, ambient_of, cast_shadow, harmonics, sample_light, shade
from facelab.data.synthetic.paint import Coats, lay
from facelab.data.synthetic.plates import plates
from facelab.data.synthetic.scene import render_scene, sample_scene
from facelab.face3d import MorphableModel, builtin_face, vertex_normals
from facelab.geometry import rasterize


@pytest.fixture(scope="module")
def face() -> MorphableModel:
    return builtin_face()


def _seed(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def _lamp(direction: tuple[float, float, float], ambient: float = 0.0, gloss: float = 0.0) -> Light:
    level = torch.zeros(1, 9, 3)
    level[:, 0] = ambient / 0.282095
    return Light(level, torch.tensor([direction]), torch.ones(1, 3), torch.tensor([gloss]), torch.tensor([0.5]))


def test_harmonics_are_orthonormal() -> None:
    directions = torch.nn.functional.normalize(torch.randn(200_000, 3, generator=_seed(), dtype=torch.float64), dim=1)
    values = harmonics(directions)
    gram = 4 * math.pi * values.T @ values / len(values)
    torch.testing.assert_close(gram, torch.eye(9, dtype=torch.float64), atol=0.02, rtol=0)


def test_soft_light_is_lambert_s_integral_to_a_few_percent() -> None:
    """Nine coefficients against the clamped cosine itself (Ramamoorthi and Hanrahan 2001, section 3)."""
    towards = torch.nn.functional.normalize(torch.randn(1, 40, 3, generator=_seed(1)), dim=2)
    colours = torch.rand(1, 40, 3, generator=_seed(2))
    normals = torch.nn.functional.normalize(torch.randn(500, 3, generator=_seed(3)), dim=1)
    exact = (normals @ towards[0].T).clamp_min(0) @ colours[0]
    series = harmonics(normals) @ ambient_of(towards, colours)[0]
    assert float((series - exact).abs().mean() / exact.mean()) < 0.05


def test_light_from_behind_leaves_the_ambient_share() -> None:
    albedo, normals = torch.full((1, 2, 3), 0.5), torch.tensor([[[0.0, 0, 1], [0, 0, -1]]])
    lit, gloss = torch.ones(1, 2), torch.zeros(2, 2)
    colours = shade(albedo, normals, _lamp((0.0, 0.0, -1.0), ambient=0.3), lit, gloss)
    torch.testing.assert_close(colours[0, 0], torch.full((3,), 0.5 * 0.3))
    torch.testing.assert_close(colours[0, 1], torch.full((3,), 0.5 * 1.3))
    in_shade = shade(albedo, normals, _lamp((0.0, 0.0, -1.0), ambient=0.3), torch.zeros(1, 2), gloss)
    torch.testing.assert_close(in_shade, torch.full((1, 2, 3), 0.15))


def test_a_plate_throws_its_shadow_on_what_lies_behind() -> None:
    def square(half: float, z: float) -> torch.Tensor:
        return torch.tensor([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])

    floor = torch.stack(torch.meshgrid(torch.linspace(-4, 4, 33), torch.linspace(-4, 4, 33), indexing="xy"), -1)
    floor = torch.cat([floor.reshape(-1, 2), torch.zeros(33 * 33, 1)], 1)
    vertices = torch.cat([square(1.0, 3.0), square(4.2, -0.01), floor])
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    lit = cast_shadow(vertices[None], triangles, torch.tensor([[0.0, 0.0, 1.0]]))[0, 8:]
    distance = floor[:, :2].abs().amax(1)
    assert float(lit[distance < 0.8].max()) == 0.0 and float(lit[distance > 1.3].min()) > 0.999
    slanted = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0, 1.0]]), dim=1)  # the shade falls 3 to the left
    moved = cast_shadow(vertices[None], triangles, slanted)[0, 8:]
    shaded = floor[moved < 0.5]
    assert float(shaded[:, 0].mean()) == pytest.approx(-3.0, abs=0.2) and float(shaded[:, 1].mean()) == pytest.approx(
        0.0, abs=0.2
    )


def test_the_nose_shades_the_cheek_away_from_the_lamp(face: MorphableModel) -> None:
    vertices = face.vertices()
    direction = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2, 0.35]]), dim=1)
    lit = cast_shadow(vertices, face.triangles, direction)[0]
    normals = vertex_normals(vertices, face.triangles)[0]
    facing = (normals @ direction[0] > 0.25) & (face.region == face.region_names.index("face"))
    nose_side = facing & (vertices[0, :, 0] < -0.9) & (vertices[0, :, 0] > -2.5) & (vertices[0, :, 1].abs() < 5)
    lamp_side = facing & (vertices[0, :, 0] > 2.5)
    assert float(lit[nose_side].mean()) < 0.5 * float(lit[lamp_side].mean())


def test_coats_follow_the_formula(face: MorphableModel) -> None:
    colour, strength = torch.rand(2, 3, 3, generator=_seed()), torch.rand(2, 3, 3, generator=_seed(1))
    albedo = lay(face, Coats(("all", "lips", "region:eyes*iris"), colour, strength))
    expected = torch.zeros_like(albedo)
    eyes = (face.region == face.region_names.index("eyes")).float()
    for index, mask in enumerate((torch.ones_like(eyes), face.masks["lips"], eyes * face.masks["iris"])):
        share = mask[None, :, None] * strength[:, None, index]
        expected += share * (colour[:, None, index] - expected)
    torch.testing.assert_close(albedo, expected, atol=2e-3, rtol=0)  # masks under a thousandth are left out


def test_both_backends_paint_the_same_picture(face: MorphableModel) -> None:
    draws = Draws(3, _seed(4))
    palette, light = sample_palettes(draws), sample_light(draws)
    paint = coats(palette)
    albedo = lay(face, paint, "numba")
    torch.testing.assert_close(lay(face, paint, "torch"), albedo, atol=1e-5, rtol=0)
    identity, expression = face.sample(3, _seed(5))
    vertices = face.vertices(identity, expression)
    normals = vertex_normals(vertices, face.triangles)
    lit = cast_shadow(vertices, face.triangles, light.direction)
    gloss = torch.rand(len(face.region), 2, generator=_seed(6))
    colours = shade(albedo, normals, light, lit, gloss, "numba")
    torch.testing.assert_close(shade(albedo, normals, light, lit, gloss, "torch"), colours, atol=2e-5, rtol=1e-4)
    points = torch.stack([vertices[..., 0] * 2.5 + 48, 40 - vertices[..., 1] * 2.5, vertices[..., 2] * 2.5], 2)
    raster = rasterize(points, face.triangles, 96, 96)
    behind, grains = sample_backdrops(draws).paint(48), torch.rand(3, len(GRAINS), generator=_seed(7))
    picture = compose(face, raster, colours, behind, grains, "numba")
    assert picture.shape == (3, 3, 48, 48)
    torch.testing.assert_close(compose(face, raster, colours, behind, grains, "torch"), picture, atol=2e-4, rtol=0)
    bare = compose(face, raster, colours, behind, torch.zeros_like(grains), "numba")
    assert float((bare - picture).abs().max()) > 0.01


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_scene_looks_the_same_from_a_gpu(face: MorphableModel) -> None:
    scene = sample_scene(face, 8, 64, SceneRanges(), _seed(8))
    here, there = render_scene(face, scene), render_scene(face.to("cuda"), scene.to("cuda"))
    torch.testing.assert_close(there.landmarks.cpu(), here.landmarks, atol=1e-3, rtol=0)
    different = (there.image.cpu() - here.image).abs().amax(1) > 2 / 255
    assert float(different.float().mean()) < 1e-3


def test_faces_are_never_black_and_never_burnt_out(face: MorphableModel) -> None:
    scene = sample_scene(face, 64, 48, SceneRanges(yaw=(-40, 40)), _seed(9))
    picture = render_scene(face, scene)
    eyes = picture.landmarks[:, 27:36, :2].round().long().clamp(0, 47)
    noses = torch.stack([picture.image[i, :, eyes[i, :, 1], eyes[i, :, 0]].mean() for i in range(64)])
    assert float(noses.min()) > 0.04 and float(noses.max()) < 0.97


def test_backdrops_differ_and_do_not_change() -> None:
    first = plates()
    assert first.dtype == torch.uint8 and len(torch.unique(first.flatten(1), dim=0)) == len(first)
    again = sample_backdrops(Draws(6, _seed(11))).paint(40)
    torch.testing.assert_close(sample_backdrops(Draws(6, _seed(11))).paint(40), again)
    assert again.shape == (6, 3, 40, 40) and 0 <= float(again.min()) <= float(again.max()) <= 1
    assert float(again.flatten(2).std(2).mean()) > 0.03
    colour = torch.tensor([0.2, 0.4, 0.6])
    assert torch.equal(Backdrop.plain(colour, 2).paint(16), colour[None, :, None, None].expand(2, 3, 16, 16))
