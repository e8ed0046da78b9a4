"""What the built-in face wears: hidden when off, recognisable by its outline when on."""

import pytest
import torch
from torch import Tensor

from facelab.face3d import MorphableModel, builtin_face
from facelab.geometry import Raster, WeakPerspective, rasterize, rotation_matrix

WORN = ("hair", "beard", "glasses", "lenses", "cap")
CUTS = ("hair_short", "hair_crew", "hair_side_part", "hair_curly", "hair_afro", "hair_bob", "hair_long", "hair_tied",
        "hair_receding")  # fmt: skip
SIZE = 96


@pytest.fixture(scope="module")
def face() -> MorphableModel:
    return builtin_face()


def _seen(face: MorphableModel, vertices: Tensor, yaw: float) -> Raster:
    rotation = rotation_matrix(*torch.tensor([0.0, yaw, 0.0]).deg2rad())[None]
    camera = WeakPerspective(torch.tensor([SIZE / 36]), rotation, torch.full((1, 2), SIZE / 2) - torch.tensor([0, 8.0]))
    return rasterize(camera.project(vertices), face.triangles, SIZE, SIZE)


def _outline(face: MorphableModel, *styles: str, yaw: float = 0.0) -> Tensor:
    """``(SIZE, SIZE)`` bool: where the head with these styles is."""
    return _seen(face, face.vertices(style=face.wearing(*styles)), yaw).triangle[0] >= 0


@pytest.mark.parametrize("yaw", [-90.0, -30.0, 0.0, 60.0, 150.0])
def test_what_is_off_cannot_be_seen(face: MorphableModel, yaw: float) -> None:
    """Also on odd heads: the surface that a pixel sees is never that of a thing that is off."""
    identity, expression = face.sample(6, torch.Generator().manual_seed(2))
    vertices = face.vertices(identity, expression)
    numbers = torch.tensor([face.region_names.index(name) for name in WORN])
    of_worn = torch.isin(face.region, numbers)[face.triangles].any(1)
    for head in vertices:
        triangle = _seen(face, head[None], yaw).triangle
        assert float(of_worn[triangle[triangle >= 0]].float().mean()) < 1e-3


def test_cuts_differ_in_outline(face: MorphableModel) -> None:
    outlines = {cut: torch.cat([_outline(face, cut, yaw=yaw) for yaw in (0.0, 90.0)]) for cut in CUTS}
    for number, first in enumerate(CUTS):
        for second in CUTS[number + 1 :]:
            changed = (outlines[first] ^ outlines[second]).float().sum() / outlines[first].float().sum()
            assert float(changed) > 0.002, (first, second)


def test_long_hair_is_longer_than_a_bob(face: MorphableModel) -> None:
    rows = {cut: _outline(face, cut).sum(1) for cut in ("hair_short", "hair_bob", "hair_long")}
    chin, neck = SIZE // 2 - 8 + int(11 * SIZE / 36), SIZE // 2 - 8 + int(14.5 * SIZE / 36)
    assert rows["hair_bob"][chin - 6] > 1.2 * rows["hair_short"][chin - 6]
    assert rows["hair_long"][neck] > 1.4 * rows["hair_bob"][neck]


def test_afro_is_larger_than_any_other_cut_above_the_brows(face: MorphableModel) -> None:
    above = {cut: int(_outline(face, cut)[: SIZE // 2 - 12].sum()) for cut in CUTS}
    assert max(above, key=lambda cut: above[cut]) == "hair_afro"


def test_hair_leaves_the_features_free(face: MorphableModel) -> None:
    hair = face.region_names.index("hair")
    inner = face.landmarks[27:68]
    for cut in CUTS:
        vertices = face.vertices(style=face.wearing(cut))
        raster = _seen(face, vertices, 0.0)
        for x, y in (_pixels(vertices[:, inner])[0]).round().long().tolist():
            triangle = int(raster.triangle[0, y, x])
            assert int(face.region[face.triangles[triangle, 0]]) != hair, cut


def _pixels(points: Tensor) -> Tensor:
    scale = SIZE / 36
    return torch.stack([points[..., 0] * scale + SIZE / 2, SIZE / 2 - 8 - points[..., 1] * scale], -1)


def test_glasses_stand_before_the_eyes_and_not_in_the_skin(face: MorphableModel) -> None:
    identity, _ = face.sample(24, torch.Generator().manual_seed(4))
    for shape in ("round", "square"):
        style = face.wearing(f"glasses_{shape}", f"lenses_{shape}").expand(24, -1)
        vertices = face.vertices(identity, style=style)
        lenses = vertices[:, face.region == face.region_names.index("lenses")]
        lids = face.landmarks_of(vertices)[:, 36:48]
        assert bool((lenses[..., 2].amin(1) > lids[..., 2].amin(1)).all())
        covered = 0.0
        lens_number = face.region_names.index("lenses")
        for head in vertices:
            raster = _seen(face, head[None], 0.0)
            for x, y in _pixels(face.landmarks_of(head[None])[0, [37, 38, 43, 44]]).round().long().tolist():
                covered += float(face.region[face.triangles[int(raster.triangle[0, y, x]), 0]] == lens_number)
        assert covered / (24 * 4) > 0.95


def test_a_cap_has_a_visor_and_covers_the_hair(face: MorphableModel) -> None:
    bare, capped = (_outline(face, "hair_short", *more, yaw=90.0) for more in ((), ("cap",)))
    assert int((capped & ~bare).any(0).sum()) > 8  # columns in front of the face
    vertices = face.vertices(style=face.wearing("hair_short", "cap"))
    triangle = _seen(face, vertices, 0.0).triangle[0]
    top = triangle[: SIZE // 2 - 26]
    regions = face.region[face.triangles[top[top >= 0], 0]]
    assert float((regions == face.region_names.index("cap")).float().mean()) > 0.97


def test_a_beard_lengthens_the_chin(face: MorphableModel) -> None:
    bare, bearded = (_outline(face, *styles, yaw=90.0) for styles in ((), ("beard_full",)))
    assert int((bearded & ~bare).sum()) > 15
    assert int((_outline(face, "moustache") & ~_outline(face)).sum()) == 0  # a moustache does not, from the front


def test_wearing_names_what_there_is(face: MorphableModel) -> None:
    assert face.wearing().tolist() == [0.0] * len(face.style_names)
    assert float(face.wearing("cap")[face.style_names.index("cap")]) == 1.0
    with pytest.raises(ValueError, match="styles: expected some of hair_short, .*; got top_hat"):
        face.wearing("top_hat")
