"""Errors over the numbers of modes: against faces rebuilt one by one, and what must hold at the corners."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facelab.data.synthetic import SceneRanges, sample_scene
from facelab.face3d import MorphableModel, builtin_face
from facelab.metrics import nme, normalizer_lengths
from facelab.recipes.tddfa_dimensions import FEW, KEPT, dimension_errors, dimension_times

FACES = 20


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    """Few modes, so that all of them can be left out one by one."""
    face = builtin_face().subset(("face", "lips"))
    return replace(
        face, identity=face.identity[:44], identity_std=face.identity_std[:44], expression=face.expression[:12],
        expression_std=face.expression_std[:12], expression_range=face.expression_range[:12],
        expression_names=face.expression_names[:12],
    )  # fmt: skip


def one_by_one(model: MorphableModel, seed: int, identity: Tensor, expression: Tensor) -> tuple[float, float]:
    """NME and dense error with these modes (bool) alone, by the metrics of the library."""
    scene = sample_scene(model, FACES, 120, SceneRanges(), torch.Generator().manual_seed(seed))
    truth = scene.camera.project(model.vertices(scene.identity, scene.expression))
    rebuilt = scene.camera.project(model.vertices(scene.identity * identity, scene.expression * expression))
    points, target = model.landmarks_of(rebuilt)[..., :2], model.landmarks_of(truth)[..., :2]
    apart = (rebuilt - truth).double().square().sum(2).mean(1).sqrt()
    return float(nme(points, target).mean()), float((apart / normalizer_lengths(target)).mean())


def first(count: int, modes: int) -> Tensor:
    return torch.arange(modes) < count


@pytest.mark.parametrize(("i", "j"), [(0, 0), (40, 10), (5, 2), (44, 3), (17, 12), (43, 12)])
def test_the_grid_is_what_faces_rebuilt_one_by_one_say(model: MorphableModel, i: int, j: int) -> None:
    found = dimension_errors(FACES, (3,), model)
    assert found.nme.shape == found.dense.shape == (13, 45)
    expected = one_by_one(model, 3, first(i, 44), first(j, 12))
    assert float(found.nme[j, i]) == pytest.approx(expected[0], rel=1e-3)
    assert float(found.dense[j, i]) == pytest.approx(expected[1], rel=1e-3)


def test_modes_in_the_order_of_what_they_move(model: MorphableModel) -> None:
    """The mode that moves the landmarks most, by one standard deviation, is the first."""
    backwards = {name: getattr(model, name).flip(0) for name in ("identity", "identity_std")}
    model = replace(model, **backwards)  # so that the strongest are not the first
    found = dimension_errors(FACES, (0,), model, order="landmarks")
    sizes = model.identity[:, :, model.landmarks].flatten(1).norm(dim=1) * model.identity_std
    most = torch.arange(44) == sizes.argmax()
    assert not bool(most[0])
    expected = one_by_one(model, 0, most, first(0, 12))
    assert float(found.nme[0, 1]) == pytest.approx(expected[0], rel=1e-3)
    assert float(found.dense[0, 1]) == pytest.approx(expected[1], rel=1e-3)
    plain = dimension_errors(FACES, (0,), model)
    for corner in ((0, 0), (-1, -1)):
        assert float(found.nme[corner]) == pytest.approx(float(plain.nme[corner]))


def test_all_modes_leave_nothing_and_most_modes_little(model: MorphableModel) -> None:
    found = dimension_errors(FACES, (0,), model)
    for grid in (found.nme, found.dense):
        assert float(grid[-1, -1]) == 0 and bool((grid.flatten()[:-1] > 0).all())
        assert float(grid[0, 0]) > 3 * float(grid[KEPT[1], KEPT[0]])


def test_seeds_have_their_values_and_the_grid_their_mean(model: MorphableModel) -> None:
    both, alone = dimension_errors(FACES, (5, 6), model), dimension_errors(FACES, (6,), model)
    assert len(both.kept) == len(both.few) == 2 and both.kept[0] != both.kept[1]
    assert both.kept[1] == alone.kept[0] and both.few[1] == alone.few[0]
    assert sum(both.kept) / 2 == pytest.approx(float(both.nme[KEPT[1], KEPT[0]]))
    assert sum(both.few) / 2 == pytest.approx(float(both.nme[FEW[1], FEW[0]]))


def test_the_number_of_faces_need_not_fill_the_chunks(model: MorphableModel) -> None:
    """One face more than a chunk of the computation."""
    alone = [dimension_errors(17, (0,), model), dimension_errors(1, (0,), model)]
    assert all(bool(torch.isfinite(each.nme).all()) for each in alone)


def test_the_built_in_face_has_the_modes_of_the_paper() -> None:
    found = dimension_errors(4, (0,))
    assert found.nme.shape == (30, 200)
    assert found.kept[0] < found.few[0] < float(found.nme[0, 0])


def test_all_modes_take_longer_than_the_first() -> None:
    found = dimension_times(rounds=2)
    assert len(found.whole) == len(found.kept) == 2
    assert min(found.whole) > 1.5 * max(found.kept) > 0


def test_bad_requests_are_named(model: MorphableModel) -> None:
    with pytest.raises(ValueError, match="order: expected one of model, landmarks, got 'size'"):
        dimension_errors(1, (0,), model, order="size")
    with pytest.raises(ValueError, match="faces, seeds: expected at least one of each"):
        dimension_errors(0, (0,), model)
    with pytest.raises(ValueError, match="faces, seeds: expected at least one of each"):
        dimension_errors(1, (), model)
    short = replace(model, identity=model.identity[:39], identity_std=model.identity_std[:39])
    with pytest.raises(ValueError, match=r"model: expected at least \(40, 10\).*has \(39, 12\)"):
        dimension_errors(1, (0,), short)
