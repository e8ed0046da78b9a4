"""The benchmark: its faces, what is measured on them, and what errors are made of."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facelab import recipes
from facelab.data import FaceSample
from facelab.metrics import nme
from facelab.recipes import benchmark, benchmark_faces, benchmark_runs
from facelab.recipes.benchmark import Contestant
from facelab.recipes.benchmark_faces import FACTORS, BenchmarkFaces
from facelab.recipes.benchmark_photographs import errors_on_photographs
from facelab.recipes.benchmark_training import training_seconds
from facelab.recipes.runs import trained
from facelab.recipes.transfer import Photograph
from facelab.training import save_weights
from facelab.training.keeper import MODEL

pytestmark = pytest.mark.usefixtures("cached")


@pytest.fixture(scope="module")
def faces() -> BenchmarkFaces:
    return BenchmarkFaces(40)


def method(name: str = "anisotropic") -> Contestant:
    recipe = recipes.get(name, "smoke")
    return Contestant(recipe, recipe.model(0).eval())


def test_the_first_faces_of_a_longer_set_are_those_of_a_shorter_one(faces: BenchmarkFaces) -> None:
    few = BenchmarkFaces(5)
    for index in range(5):
        first, second = faces[index], few[index]
        assert torch.equal(first.image, second.image) and torch.equal(first.visible, second.visible)
    assert all(torch.equal(few.factors[name], faces.factors[name][:5]) for name in FACTORS)
    assert len(few) == len(few.landmarks) == len(few.yaw) == len(few.outlines) == 5
    with pytest.raises(IndexError, match="face 5: expected an index below 5"):
        few[5]


def test_what_is_told_of_a_face_was_done_to_it(faces: BenchmarkFaces) -> None:
    untouched = (faces.factors["occlusion"] == 0) & (faces.factors["blur"] == 0)
    blurred = faces.factors["blur"] > 0.02
    assert 0 < int(untouched.sum()) < 40 and 0 < int((faces.factors["occlusion"] > 0).sum()) < 25

    def edges(index: int) -> float:
        image, clean = (each.image.diff(dim=2).abs().mean() for each in (faces[index], faces.clean[index]))
        return float(image / clean)

    sharp = [edges(index) for index in untouched.nonzero()[:, 0].tolist()]
    soft = [edges(index) for index in blurred.nonzero()[:, 0].tolist()]
    assert max(soft) < sum(sharp) / len(sharp)
    for index in (faces.factors["occlusion"] > 0).nonzero()[:, 0].tolist():
        assert faces[index].visible.sum() <= faces.clean[index].visible.sum()
    torch.testing.assert_close(faces.factors["yaw"], faces.yaw.abs())


def test_the_two_rules_differ_in_the_jaw_alone(faces: BenchmarkFaces) -> None:
    flat = faces.landmarks[..., :2]
    assert torch.equal(faces.outlines[:, 17:], flat[:, 17:])
    assert not torch.equal(faces.outlines[:, :17], flat[:, :17])


def test_the_mean_face_follows_its_box() -> None:
    boxes = torch.tensor([[10.0, 20, 70, 80], [20.0, 40, 140, 160]])
    small, large = benchmark_faces.mean_shape(boxes, faces=64)
    torch.testing.assert_close(large[:, :2], 2 * small[:, :2])
    assert float(small[:, 2].mean()) == pytest.approx(0, abs=1e-4)
    inside = (small[:, :2] > boxes[0, :2] - 10).all() and (small[:, :2] < boxes[0, 2:] + 10).all()
    assert bool(inside) and float(small[30, 2]) > float(small[0, 2])  # the nose is nearer than the ear


@pytest.mark.parametrize("name", ["two-stage", "fan", "anisotropic", "tddfa", "cln"])
def test_every_method_finds_66_points(name: str, faces: BenchmarkFaces) -> None:
    points = benchmark.found(method(name), faces)
    assert points.shape == (40, 66, 2 if name in ("fan", "anisotropic") else 3)
    errors = benchmark.errors_of(points, faces.landmarks)
    truth = benchmark.shared(faces.landmarks)
    torch.testing.assert_close(errors.flat, nme(points[..., :2], truth[..., :2], "bbox"))
    assert (errors.solid is None) == (points.shape[2] == 2)
    assert method(name).multiply_adds > 0 and method(name).learnt > 0


def test_depth_comes_from_the_second_network(faces: BenchmarkFaces) -> None:
    depth = recipes.get("fan-depth", "smoke")
    alone = method("fan")
    both = replace(alone, depth=(depth, depth.model(0).eval()))
    points = benchmark.found(both, faces)
    assert points.shape == (40, 66, 3)
    torch.testing.assert_close(points[..., :2], benchmark.found(alone, faces))
    assert both.learnt > alone.learnt and both.multiply_adds > alone.multiply_adds
    assert float(points[..., 2].mean(1).abs().max()) < 1e-3


def test_a_shift_in_depth_costs_nothing_and_a_turn_costs_no_shape(faces: BenchmarkFaces) -> None:
    truth = faces.landmarks
    moved = benchmark.shared(truth + torch.tensor([0.0, 0.0, 9.0]))
    assert float(benchmark.errors_of(moved, truth).solid.max()) < 1e-5  # type: ignore[union-attr]
    turned = benchmark.shared(truth) * torch.tensor([-1.0, 1.0, -1.0])  # half a turn about the vertical
    errors = benchmark.errors_of(turned, truth)
    assert errors.solid is not None and errors.shape is not None
    assert float(errors.shape.max()) < 1e-5 < float(errors.solid.min())


def test_measures_have_their_intervals(faces: BenchmarkFaces) -> None:
    errors = torch.linspace(0.01, 0.2, 40, dtype=torch.float64)
    table = benchmark.measured(errors, faces.yaw)
    assert all(low <= value <= high for value, low, high in table.values())
    assert table["failures"].value == pytest.approx(float((errors > 0.1).double().mean()))
    ratio = benchmark.ratio_of(2 * errors, errors)
    assert ratio == pytest.approx((2.0, 2.0, 2.0))


def test_causes_find_the_slopes_that_made_the_errors() -> None:
    generator = torch.Generator().manual_seed(0)
    factors = {name: torch.rand(400, generator=generator) for name in ("a", "b")}
    noise = 0.01 * torch.randn(400, generator=generator)
    found = benchmark.causes(0.05 + 0.1 * factors["a"] + noise, factors, draws=200)
    assert found.slopes["a"] == pytest.approx(0.1, abs=0.005)
    assert found.costs["a"].value == pytest.approx(0.09, abs=0.006)
    assert found.costs["b"].low < 0 < found.costs["b"].high < 0.01
    assert 0.8 < found.explained < 1
    with pytest.raises(ValueError, match="factors that vary, 'b' does not"):
        benchmark.causes(noise, factors | {"b": torch.zeros(400)})


def test_the_main_cause_is_the_factor_that_stands_out() -> None:
    factors = {"a": torch.linspace(0, 1, 100), "b": torch.linspace(0, 1, 100).flip(0)}
    told = benchmark.Causes({}, {"a": 0.15, "b": 0.1}, 1.0)
    assert benchmark.main_cause(99, factors, told) == "a"
    assert benchmark.main_cause(0, factors, told) == "b"
    assert benchmark.main_cause(50, factors, told) == "none of these"
    assert benchmark.main_cause(99, factors, told._replace(slopes={"a": -0.1, "b": 0.1})) == "none of these"
    kinds = benchmark.chosen(torch.arange(9.0), 3)
    assert kinds == {"worst": [8, 7, 6], "median": [5, 4, 3], "best": [2, 1, 0]}


def test_a_piece_tells_the_time_of_a_training() -> None:
    recipe = recipes.get("anisotropic", "smoke")
    once = training_seconds(recipe, 2)
    assert once > 0
    with pytest.raises(ValueError, match="batches: expected at least 1"):
        training_seconds(recipe, 0)


def test_photographs_are_scored_on_the_points_that_are_there(faces: BenchmarkFaces) -> None:
    sample = faces[0]
    landmarks = sample.landmarks.clone()
    landmarks[:3] = torch.nan
    real = [Photograph(replace(sample, landmarks=landmarks), "a set", "2d")]

    def shifted(batch: FaceSample) -> torch.Tensor:
        points = benchmark.shared(faces.landmarks[:1])
        points[:, 17:, 0] += 1
        return points

    inner, whole = errors_on_photographs(shifted, real)
    present = landmarks[3:, :2]
    length = float((present.amax(0) - present.amin(0)).prod().sqrt())
    assert float(inner) == pytest.approx(1 / length, rel=1e-4)
    assert float(whole) == pytest.approx(49 / 63 / length, rel=1e-4)


def test_a_record_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "book" / "data").mkdir(parents=True)
    monkeypatch.setenv("FACELAB_BOOK", str(tmp_path / "book"))
    run = tmp_path / "run"
    run.mkdir()
    told = {"recipe": "anisotropic", "profile": "smoke", "settings": {"criterion": "l2"}, "seed": 0}
    (run / "run.json").write_text(json.dumps(told))
    (run / "history.jsonl").write_text('{"epoch": 1, "seconds": 2.5}\n{"epoch": 2, "seconds": 3}\n')
    model = recipes.changed(recipes.get("anisotropic", "smoke"), told["settings"]).model(0)  # type: ignore[arg-type]
    save_weights(model, run / MODEL)
    path = benchmark_runs.record(run, "l2", "smoke")
    found = benchmark_runs.recorded("l2", "smoke", 20, 2)
    faces = benchmark_faces.unseen("smoke")
    expected = benchmark.errors_of(benchmark.found(Contestant(*trained(run)), faces), faces.landmarks).flat
    torch.testing.assert_close(found.errors, expected[:20], atol=1e-6, rtol=0)
    assert found.run == told and found.seconds == 5.5 and len(found.stability) == 2 and found.photographs == {}
    with pytest.raises(ValueError, match="expected at least 33 faces and 2 clips, got 32 and 2"):
        benchmark_runs.recorded("l2", "smoke", 33, 2)
    with pytest.raises(FileNotFoundError, match="bench benchmark --run RUN --name other makes it"):
        benchmark_runs.recorded("other", "smoke", 1, 1)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in content.items() if key != "errors"}))
    with pytest.raises(ValueError, match=r"benchmark-l2\.json: expected a record of the benchmark: missing: errors"):
        benchmark_runs.recorded("l2", "smoke", 1, 1)
