"""Textures of photographs: colours where the face is seen, nothing or the mirrored half where it is not."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facelab.face3d import MorphableModel, builtin_face, uv_texture
from facelab.geometry import WeakPerspective, interpolate, rasterize, rotation_matrix

SIDE = 128


@pytest.fixture(scope="module")
def face() -> MorphableModel:
    return builtin_face().subset(("face", "lips"))


def placed(model: MorphableModel, yaw: float, side: int = SIDE) -> Tensor:
    """The mean face ``(1, V, 3)`` in a picture."""
    scale = 0.7 * side / float((model.mean.amax(1) - model.mean.amin(1)).max())
    centre = model.mean[:2].mean(1) * torch.tensor([1.0, -1.0])
    return WeakPerspective(
        torch.tensor([scale]), rotation_matrix(0.0, yaw, 0.0)[None], (side / 2 - scale * centre)[None]
    ).project(model.vertices())


def gradients(height: int, width: int) -> Tensor:
    """``(1, 3, H, W)``: red is the column, green the row, as shares of the picture."""
    row, column = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    return torch.stack([column, row, torch.full_like(row, 0.5)])[None]


def square(depth: Tensor) -> MorphableModel:
    """Two unit squares at these depths, one before the other; the left and the right half of the texture are theirs."""
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    one = torch.tensor([[0, 1, 2], [0, 2, 3]])
    mean = torch.cat([torch.cat([corners, z.expand(4, 1)], 1) for z in depth])
    empty = torch.zeros(0, 3, len(mean))
    return MorphableModel(
        name="squares", unit="cm", mean=mean.T.contiguous(), identity=empty, expression=empty,
        identity_std=torch.zeros(0), expression_std=torch.zeros(0), expression_range=torch.zeros(0, 2),
        expression_names=(), triangles=torch.cat([one + 4 * number for number in range(len(depth))]),
        uv=torch.cat([corners * torch.tensor([0.5, 1.0]) + torch.tensor([0.5 * number, 0.0]) for number in (0, 1)]),
        region=torch.zeros(len(mean), dtype=torch.int64), region_names=("skin",),
        landmarks=torch.zeros(68, dtype=torch.int64),
    )  # fmt: skip


def test_a_texel_has_the_colour_of_its_place_in_the_picture() -> None:
    """Texel (r, c) of the left half is the point u = (c + 1/2) / 8, which lies at a known pixel of the picture."""
    model = square(torch.tensor([1.0, 1.0]))
    points = torch.cat([40 * model.mean[:1].T + 10, 60 - 40 * model.mean[1:2].T, model.mean[2:].T], 1)
    colour, seen = uv_texture(gradients(72, 80), points[None], model, 8)
    assert bool(seen.all())
    centres = (torch.arange(8) + 0.5) / 8
    across, down = 10 + 40 * (2 * centres[:4]), 20 + 40 * centres
    torch.testing.assert_close(colour[0, 0, :, :4], (across / 80).expand(8, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(colour[0, 1, :, :4], (down / 72)[:, None].expand(8, 4), atol=1e-5, rtol=0)


def test_what_lies_behind_is_not_seen() -> None:
    model = square(torch.tensor([0.0, 20.0]))
    points = torch.cat([40 * model.mean[:1].T + 10, 60 - 40 * model.mean[1:2].T, model.mean[2:].T], 1)
    seen = uv_texture(gradients(72, 80), points[None], model, 16).seen[0, 0]
    assert not seen[:, :8].any() and bool(seen[:, 8:].all())


def test_what_lies_outside_the_picture_or_turns_away_is_not_seen() -> None:
    model = square(torch.tensor([0.0, 0.0]))
    points = torch.cat([40 * model.mean[:1].T - 20, 60 - 40 * model.mean[1:2].T, model.mean[2:].T], 1)[None]
    seen = uv_texture(gradients(72, 80), points, model, 16).seen[0, 0]
    assert not seen[:, :4].any() and bool(seen[:, 4:8].all())
    away = replace(model, triangles=model.triangles.flip(1))
    assert not uv_texture(gradients(72, 80), points, away, 16).seen.any()


def test_a_texture_paints_the_picture_again(face: MorphableModel) -> None:
    """Sampled from the picture and drawn onto the mesh, the texture gives the picture back."""
    points = placed(face, 0.5)
    image = gradients(SIDE, SIDE)
    size = 512
    colour, seen = uv_texture(image, points, face, size)
    raster = rasterize(points, face.triangles, SIDE, SIDE)
    uv = interpolate(raster, face.triangles, face.uv[None], face.uv.new_zeros(()))[0]
    row, column = ((1 - uv[..., 1]) * size - 0.5).round().long(), (uv[..., 0] * size - 0.5).round().long()
    row, column = row.clamp(0, size - 1), column.clamp(0, size - 1)
    shown = (raster.triangle[0] >= 0) & seen[0, 0, row, column]
    assert float(shown.sum() / (raster.triangle[0] >= 0).sum()) > 0.9
    apart = (colour[0][:, row, column] - image[0]).abs().amax(0)[shown]
    assert float(apart.median()) < 1 / SIDE and float(apart.quantile(0.99)) < 3 / SIDE  # a texel is under a pixel


def test_the_half_that_turns_away_is_hidden_and_filled_from_the_other(face: MorphableModel) -> None:
    points = placed(face, 1.0)  # the nose points to the left of the picture: the face's right side, x < 0, is hidden
    image = torch.full((1, 3, SIDE, SIDE), 0.25)
    plain = uv_texture(image, points, face, 128)
    used = uv_texture(image, placed(face, 0.0), face, 128).seen[0, 0]
    left, right = plain.seen[0, 0][:, :64], plain.seen[0, 0][:, 64:]
    assert float(right.sum() / used[:, 64:].sum()) > 0.9 and float(left.sum() / used[:, :64].sum()) < 0.5
    torch.testing.assert_close(plain.colour[0, 0], 0.25 * plain.seen[0, 0].float())
    filled = uv_texture(image, points, face, 128, fill=True)
    assert torch.equal(filled.seen, plain.seen)
    torch.testing.assert_close(filled.colour, torch.full((1, 3, 128, 128), 0.25))


def test_the_mirror_of_a_texel_is_across_the_face(face: MorphableModel) -> None:
    """A picture that is dark on one side of the face: what is filled in is the colour of the mirror point."""
    points = placed(face, 1.0)
    colour, seen = uv_texture(gradients(SIDE, SIDE), points, face, 128, fill=True)
    used = ~seen[0, 0] & uv_texture(gradients(SIDE, SIDE), placed(face, 0.0), face, 128).seen[0, 0]
    mirrored = seen[0, 0].flip(1) & used  # the layout of the built-in face is symmetric
    assert int(mirrored.sum()) > 300
    apart = (colour[0] - colour[0].flip(2)).abs().amax(0)[mirrored]
    assert float(apart.median()) < 0.01


def test_nothing_seen_stays_black(face: MorphableModel) -> None:
    points = placed(face, 0.0) + torch.tensor([10.0 * SIDE, 0, 0])
    colour, seen = uv_texture(torch.ones(1, 3, SIDE, SIDE), points, face, 32, fill=True)
    assert not seen.any() and not colour.any()


def test_faces_of_a_batch_do_not_mix(face: MorphableModel) -> None:
    points = torch.cat([placed(face, yaw) for yaw in (-0.7, 0.4)])
    images = torch.cat([gradients(SIDE, SIDE), 1 - gradients(SIDE, SIDE)])
    both = uv_texture(images, points, face, 64, fill=True)
    for index in range(2):
        alone = uv_texture(images[index, None], points[index, None], face, 64, fill=True)
        assert torch.equal(both.colour[index], alone.colour[0]) and torch.equal(both.seen[index], alone.seen[0])


def test_wrong_shapes_are_named(face: MorphableModel) -> None:
    points = placed(face, 0.0)
    with pytest.raises(ValueError, match=r"image: expected shape \(B, 3, H, W\)"):
        uv_texture(torch.zeros(3, 8, 8), points, face)
    with pytest.raises(ValueError, match=rf"points: expected shape \(1, {len(face.region)}, 3\)"):
        uv_texture(torch.zeros(1, 3, 8, 8), points[:, 1:], face)
    with pytest.raises(ValueError, match="size: expected at least one texel"):
        uv_texture(torch.zeros(1, 3, 8, 8), points, face, 0)
