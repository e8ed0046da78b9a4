"""Dressing: the built-in face, bent and undressed, must get its own things back; and a real scanned model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull
from torch import Tensor

from facelab.data.synthetic.scene import SceneRanges, render_scene, sample_scene
from facelab.face3d import MorphableModel, builtin_face, dress, read_ict_facekit
from facelab.face3d.surface_fit import Surface, fit_surface, neighbour_weights
from facelab.geometry import similarity

SKIN = ("face", "lips", "scalp", "neck")
UNIT = 1e4  # of the bent face: micrometres


def bend(points: Tensor) -> Tensor:
    """A smooth change of shape by some millimetres, a shift and another unit; points (..., 3)."""
    x, y, z = points.unbind(-1)
    moved = torch.stack([1.06 * x, 0.95 * y + 0.2 * torch.sin(0.3 * z), z + 0.25 * torch.cos(0.35 * x)], -1)
    return UNIT * (moved + torch.tensor([0.0, 3.0, -1.0]))


def chosen(model: MorphableModel, *regions: str) -> Tensor:
    return torch.isin(model.region, torch.tensor([model.region_names.index(name) for name in regions]))


@pytest.fixture(scope="module")
def wardrobe() -> MorphableModel:
    return builtin_face()


def worn(model: MorphableModel, *styles: str) -> Tensor:
    """The mean face (V, 3) with these styles on."""
    chosen_styles = torch.tensor([float(name in styles) for name in model.style_names])
    return model.vertices(style=chosen_styles)[0]


@pytest.fixture(scope="module")
def bare() -> MorphableModel:
    """The bent skin of the built-in face and nothing else: one region, no masks, two identity modes."""
    skin = builtin_face().subset([*SKIN, "ears"])
    mean = bend(skin.mean.T).T.contiguous()
    shift = torch.zeros_like(mean)
    shift[0] = 1.0
    return replace(
        skin,
        name="bare",
        mean=mean,
        identity=torch.stack([shift, mean - mean.mean(1, keepdim=True)]),
        identity_std=torch.ones(2),
        expression=UNIT * skin.expression,
        style=torch.zeros(0, 3, mean.shape[1]),
        style_names=(),
        region=torch.zeros_like(skin.region),
        region_names=("all",),
        masks={},
    )


@pytest.fixture(scope="module")
def dressed(bare: MorphableModel, wardrobe: MorphableModel) -> MorphableModel:
    return dress(bare, wardrobe)


def attached(model: MorphableModel, region: str, own: int) -> Tensor:
    """Numbers of the vertices of a region behind the ``own`` first ones."""
    found = chosen(model, region).nonzero()[:, 0]
    return found[found >= own]


def test_what_the_model_had_is_kept(bare: MorphableModel, dressed: MorphableModel) -> None:
    own = bare.mean.shape[1]
    assert torch.equal(dressed.mean[:, :own], bare.mean)
    assert torch.equal(dressed.identity[:, :, :own], bare.identity)
    assert torch.equal(dressed.expression[:, :, :own], bare.expression)
    assert torch.equal(dressed.landmarks[17:], bare.landmarks[17:])
    assert torch.equal(dressed.triangles[: len(bare.triangles)], bare.triangles)
    assert not dressed.style[:, :, :own].any()


def test_the_jaw_is_the_wardrobes(bare: MorphableModel, wardrobe: MorphableModel, dressed: MorphableModel) -> None:
    """The bent face has the same jaw, so it must be found again, also when the model's own is elsewhere."""
    place = dressed.mean.T[dressed.landmarks[:17]]
    assert ((place - bare.mean.T[bare.landmarks[:17]]).norm(dim=1) / UNIT).max() < 0.8
    wrong = replace(bare, landmarks=torch.cat([bare.landmarks[:17].roll(3), bare.landmarks[17:]]))
    assert torch.equal(dress(wrong, wardrobe).landmarks, dressed.landmarks)
    assert torch.equal(dress(wrong, wardrobe, own_jaw=True).landmarks, wrong.landmarks)


def test_masks_and_regions_cross_over(bare: MorphableModel, dressed: MorphableModel) -> None:
    original = builtin_face().subset([*SKIN, "ears"])
    own = bare.mean.shape[1]
    assert set(dressed.masks) == set(original.masks)
    names = np.array(dressed.region_names)[dressed.region[:own].numpy()]
    expected = np.array(original.region_names)[original.region.numpy()]
    assert (names == expected).mean() > 0.93
    for name in ("brows", "lips", "lashes", "scalp", "cheeks"):
        error = (dressed.masks[name][:own] - original.masks[name]).abs()
        assert error.mean() < 0.02, name


@pytest.mark.parametrize(
    "region", ["eyes", "lid margins", "mouth", "upper teeth", "tongue", "hair", "beard", "glasses", "cap", "clothes"]
)
def test_every_missing_part_is_put_in_its_place(
    bare: MorphableModel, dressed: MorphableModel, wardrobe: MorphableModel, region: str
) -> None:
    styles = ("hair_short", "beard_full", "glasses_round", "cap")
    index = attached(dressed, region, bare.mean.shape[1])
    expected = bend(worn(wardrobe, *styles)[chosen(wardrobe, region)])
    assert len(index) == len(expected)
    error = (worn(dressed, *styles)[index] - expected).norm(dim=1) / UNIT
    assert error.median() < (1.0 if region == "clothes" else 0.6)  # where there are no landmarks, skin may slide


def test_nothing_is_added_that_was_there(bare: MorphableModel, dressed: MorphableModel) -> None:
    for region in ("ears", *SKIN):
        assert not len(attached(dressed, region, bare.mean.shape[1]))


def test_hair_stands_as_high_as_in_the_wardrobe(
    bare: MorphableModel, dressed: MorphableModel, wardrobe: MorphableModel
) -> None:
    heights = []
    for face, skin, unit in ((wardrobe, wardrobe.subset(SKIN), 1.0), (dressed, bare, UNIT)):
        hair = worn(face, "hair_short")[attached(face, "hair", 0)]
        surface = Surface(skin.mean.T.double().numpy(), skin.triangles.numpy())
        heights.append(surface.heights(hair.double().numpy())[0] / unit)
    near = (heights[0] > 0) & (heights[0] < 1.2)
    assert near.mean() > 0.3
    assert np.median(np.abs(heights[1] - heights[0])[near]) < 0.05
    hidden = (heights[0] < -0.1) & (heights[0] > -1.2)
    assert (heights[1][hidden] < heights[0][hidden]).mean() > 0.95  # and deeper where it is hidden


def test_every_style_is_carried_over(bare: MorphableModel, dressed: MorphableModel, wardrobe: MorphableModel) -> None:
    assert dressed.style_names == wardrobe.style_names
    own = bare.mean.shape[1]
    assert not dressed.style[:, :, :own].any()
    for number, name in enumerate(wardrobe.style_names):
        length = wardrobe.style[number].norm(dim=0)
        for region in wardrobe.region_names:
            there = chosen(wardrobe, region)
            mine = dressed.style[number][:, attached(dressed, region, own)].norm(dim=0) / UNIT
            if bool((length[there] > 0).any()):
                assert float(mine.mean()) == pytest.approx(float(length[there].mean()), rel=0.25), name
            else:
                assert not mine.any(), name


def test_parts_follow_the_skin(bare: MorphableModel, dressed: MorphableModel) -> None:
    own = bare.mean.shape[1]
    torch.testing.assert_close(dressed.identity[0, :, own:].mean(1), torch.tensor([1.0, 0.0, 0.0]))
    hair = attached(dressed, "hair", own)
    ray = worn(dressed, "hair_short")[hair] - bare.mean.mean(1)
    growth = dressed.identity[1][:, hair].T
    assert torch.nn.functional.cosine_similarity(ray, growth).mean() > 0.95


def test_the_jaw_takes_the_lower_teeth_along_and_nothing_above(bare: MorphableModel, dressed: MorphableModel) -> None:
    own = bare.mean.shape[1]
    jaw = dressed.expression[dressed.expression_names.index("jaw_open")] / UNIT
    assert jaw[1, attached(dressed, "lower teeth", own)].max() < -0.5
    for region in ("upper teeth", "eyes", "cap", "glasses"):
        assert not jaw[:, attached(dressed, region, own)].any()


def test_the_result_is_kept(bare: MorphableModel, wardrobe: MorphableModel, dressed: MorphableModel) -> None:
    assert dress(bare, wardrobe) is dressed


def test_a_dressed_model_can_be_photographed(dressed: MorphableModel) -> None:
    scene = sample_scene(dressed, 2, 32, SceneRanges(), torch.Generator().manual_seed(0))
    picture = render_scene(dressed, scene)
    assert bool(torch.isfinite(picture.image).all()) and picture.image.std() > 0.05


def test_a_mask_gets_the_back_of_its_head(bare: MorphableModel, wardrobe: MorphableModel) -> None:
    """A model that is cut off behind the ears."""
    front = replace(bare, region=(bare.mean[2] < -1.5 * UNIT).long(), region_names=("all", "cut")).subset(["all"])
    whole = dress(front, wardrobe)
    own = front.mean.shape[1]
    added = torch.cat([attached(whole, region, own) for region in ("scalp", "neck")])
    assert len(added) > 200
    missing = bare.mean.T[bare.mean[2] < -2.5 * UNIT]
    distance = torch.cdist(missing, whole.mean.T[added]).amin(1) / UNIT
    assert distance.median() < 1.0


def test_closed_eyes_are_painted(bare: MorphableModel, wardrobe: MorphableModel) -> None:
    """A model whose eyes are part of its skin, as the Basel Face Model's."""
    eyes = builtin_face().subset([*SKIN, "eyes"])
    closed = replace(eyes, region=torch.zeros_like(eyes.region), region_names=("all",), masks={})
    painted = dress(closed, wardrobe)
    own = closed.mean.shape[1]
    assert not len(attached(painted, "eyes", own))
    iris = painted.mean.T[painted.masks["iris"] > 0.5]
    centre = torch.stack([closed.mean.T[closed.landmarks[eye]].mean(0) for eye in (slice(36, 42), slice(42, 48))])
    assert len(iris) > 20 and torch.cdist(iris[:, :2], centre[:, :2]).amin(1).max() < 0.8


def test_a_model_without_landmarks_is_refused(bare: MorphableModel) -> None:
    with pytest.raises(ValueError, match="lacks the vertices of landmarks"):
        dress(replace(bare, landmarks=torch.full((68,), -1)))


def sphere() -> Surface:
    points = np.random.default_rng(0).normal(size=(600, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    corners = ConvexHull(points).simplices.astype(np.int64)
    a, b, c = (points[corners[:, k]] for k in range(3))
    inward = (np.cross(b - a, c - a) * a).sum(axis=1) < 0
    return Surface(points, np.where(inward[:, None], corners[:, ::-1], corners))


def test_a_surface_is_laid_onto_another() -> None:
    """A sphere onto a larger and uneven one, of which a part is missing."""
    source, stretch = sphere(), np.array([1.2, 1.3, 1.25])
    points = source.points
    target = Surface(points * stretch, source.triangles).part(points[:, 2] > -0.5)
    anchors = np.flatnonzero(points[:, 2] > 0)[::15]
    places = points[anchors] * stretch
    start = similarity(torch.from_numpy(points[anchors])[None], torch.from_numpy(places)[None])
    fit = fit_surface(source, target, start, anchors, places)
    error = np.abs(np.linalg.norm(fit.fitted / stretch, axis=1) - 1)
    assert error[points[:, 2] > -0.3].max() < 0.02
    assert error.max() < 0.12
    assert fit.met[points[:, 2] > -0.3].mean() > 0.95 and not fit.met[points[:, 2] < -0.9].any()
    assert source.rim.sum() == 0 and target.rim.sum() > 0


def test_heights_over_a_plane() -> None:
    x, y = np.meshgrid(np.arange(9.0), np.arange(9.0), indexing="ij")
    index = np.arange(81).reshape(9, 9)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    plane = Surface(np.stack([x.ravel(), y.ravel(), np.zeros(81)], 1), triangles)
    queries = np.array([[4.2, 4.1, 0.7], [4.2, 4.1, -2.0], [4.0, 11.0, 0.3]])
    height, outward, over = plane.heights(queries, beside=1.0)
    np.testing.assert_allclose(height, [0.7, -2.0, 0.3])
    np.testing.assert_allclose(outward, [[0, 0, 1]] * 3)
    assert over.tolist() == [True, True, False]
    weights = neighbour_weights(plane.points, queries, 3)
    np.testing.assert_allclose(np.asarray(weights.sum(axis=1)).ravel(), 1.0)


@pytest.fixture(scope="module")
def real(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> MorphableModel:
    if not (real_data / "ict-facekit").is_dir():
        pytest.skip("FACELAB_DATA has no ict-facekit")
    return read_ict_facekit(real_data / "ict-facekit", tmp_path_factory.mktemp("cache"))


def test_the_real_scanned_model(real: MorphableModel) -> None:
    face = dress(real)
    counts = {name: int(chosen(face, name).sum()) for name in face.region_names}
    assert counts["eyes"] == 1540 and all(counts[name] > 0 for name in ("ears", "lips", "scalp", "hair", "clothes"))
    teeth = face.mean[2, chosen(face, "upper teeth", "lower teeth")]
    assert float(teeth.max() - teeth.min()) < 5.5 and counts["upper teeth"] > 500  # the front ones
    # The same points of the face carry the landmarks, but for the jaw.
    own = real.landmarks_of(real.vertices())[0]
    torch.testing.assert_close(face.landmarks_of(face.vertices())[0, 17:], own[17:])
    assert float((own[:17, 2] - face.landmarks_of(face.vertices())[0, :17, 2]).mean()) > 1.0  # cm farther back
    # Colours are where the landmarks say.
    points, marks = face.mean.T, face.landmarks_of(face.vertices())[0]
    brows = points[face.masks["brows"] > 0.5]
    assert torch.cdist(brows, marks[17:27]).amin(1).max() < 1.5
    lips = points[chosen(face, "lips")]
    assert torch.cdist(lips, marks[48:68]).amin(1).max() < 1.2
    iris = points[face.masks["iris"] > 0.5]
    eyes = torch.stack([marks[36:42].mean(0), marks[42:48].mean(0)])
    assert torch.cdist(iris[:, :2], eyes[:, :2]).amin(1).max() < 0.9
    # Ears stand off the head on both sides.
    ears = points[chosen(face, "ears")]
    assert ears[:, 0].abs().min() > 5.5 and 0.4 < float((ears[:, 0] > 0).float().mean()) < 0.6
