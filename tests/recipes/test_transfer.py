"""The transfer experiment in small: targets where the pictures show them, runs that are kept, a table that adds up."""

import json
from pathlib import Path

import pytest
import torch

from facelab.data import FaceSample, SyntheticFaces
from facelab.face3d import builtin_face
from facelab.face3d.contour import JAW
from facelab.recipes.transfer import Photograph, TransferRecipe, _Lesson, photographs
from facelab.recipes.transfer_runs import Run, difference, run_all, table

SMALL = TransferRecipe(faces=64, test_faces=32, epochs=1, batch=16)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELAB_CACHE", str(cache))


@pytest.fixture
def faces(cached: None) -> SyntheticFaces:
    return SMALL.training_set(builtin_face(), 0)


def _photograph(faces: SyntheticFaces, index: int, jaw: str = "3d") -> Photograph:
    return Photograph(faces[index], "AFLW2000-3D", jaw)


class _Knows(torch.nn.Module):
    """Answers with given points, whatever it sees."""

    def __init__(self, points: torch.Tensor) -> None:
        super().__init__()
        self.points = points

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.points.expand(len(images), -1, -1)


def test_batches_hold_both_jaws_in_the_crop(faces: SyntheticFaces) -> None:
    plain = TransferRecipe(**{**vars(SMALL), "augmentation": type(SMALL.augmentation)(mirror=1.0)})
    lesson = _Lesson(plain, builtin_face())
    drawn = lesson.samples(0, torch.device("cpu"), progress=False)
    chosen = lesson.collate([drawn[index] for index in range(16)])
    images, points = lesson.prepare(chosen, torch.Generator().manual_seed(1))
    assert images.shape == (16, 3, 64, 64) and points.shape == (16, 68 + JAW, 2)
    assert bool((points[:, :68].abs() < 1).all())  # the crop holds the face
    extent = points[:, :68].amax(1) - points[:, :68].amin(1)
    torch.testing.assert_close(extent.amax(1), torch.full((16,), 2 / 1.3), atol=1e-4, rtol=0)
    # All are mirrored: the first point of either jaw is still the one at image left on a nearly frontal face.
    apart = (points[:, :JAW] - points[:, 68:]).norm(dim=2)
    assert float(apart[:, 8].median()) < 0.05 and float(apart.median()) < 0.08


def test_predictions_come_back_to_the_picture(faces: SyntheticFaces) -> None:
    """A network that says the truth in the crop has no error, by either rule of the jaw, mirrored or not."""
    sample = faces[5]
    box = sample.box[None]
    centre, side = (box[:, :2] + box[:, 2:]) / 2, 1.3 * (box[:, 2:] - box[:, :2]).amax(1)
    points = torch.cat([sample.landmarks[:, :2], faces.contours[5]])
    said = (points - centre) * 2 / side
    batch = FaceSample.stack([sample])
    found = SMALL.landmarks(_Knows(said), batch)[0]
    torch.testing.assert_close(found, sample.landmarks[:, :2], atol=1e-3, rtol=0)
    outline = SMALL.landmarks(_Knows(said), batch, jaw="2d")[0]
    torch.testing.assert_close(outline[:JAW], faces.contours[5], atol=1e-3, rtol=0)
    torch.testing.assert_close(outline[JAW:], sample.landmarks[JAW:, :2], atol=1e-3, rtol=0)
    real = [_photograph(faces, 5)]
    assert float(SMALL.error_on_photographs(_Knows(said), real)[0]) < 1e-4
    assert float(SMALL.error_on_photographs(_Knows(said + 0.1), real)[0]) > 0.05


def test_missing_landmarks_do_not_count(faces: SyntheticFaces) -> None:
    sample = faces[3]
    holes = sample.landmarks.clone()
    holes[17:27] = torch.nan
    whole, part = _photograph(faces, 3), Photograph(FaceSample(**{**vars(sample), "landmarks": holes}), "x", "3d")
    network = _Knows(SMALL.mean_shape(faces))
    errors = SMALL.error_on_photographs(network, [whole, part])
    assert errors.isfinite().all() and errors[0] != errors[1]


def test_runs_are_kept_and_not_repeated(cached: None, faces: SyntheticFaces, tmp_path: Path) -> None:
    real = [_photograph(faces, index) for index in range(4)]
    said: list[str] = []
    runs = run_all({"built-in": builtin_face}, [0], SMALL, real, tmp_path, said.append)
    assert len(runs) == len(said) == 1 and len(runs[0].photographs) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"transfer.json", "built-in-0.pt"}

    def never() -> None:
        raise AssertionError("trained again")

    again = run_all({"built-in": never}, [0], SMALL, real, tmp_path, said.append)  # type: ignore[dict-item]
    assert again == runs and len(said) == 1
    baseline = SMALL.error_of_mean_shape(faces, real)
    assert "mean shape in the box" in table(runs, real, baseline.tolist())
    with pytest.raises(ValueError, match="holds runs of another recipe"):
        run_all({"built-in": never}, [0], TransferRecipe(), real, tmp_path, said.append)  # type: ignore[dict-item]
    (tmp_path / "transfer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"transfer.json: expected results of earlier runs"):
        run_all({"built-in": never}, [0], SMALL, real, tmp_path, said.append)  # type: ignore[dict-item]


def test_the_table_takes_means_over_faces_and_spread_over_seeds() -> None:
    sample = FaceSample(*[torch.zeros(1)] * 6, name="a", markup="68")
    real = [
        Photograph(sample, "AFLW2000-3D", "3d"),
        Photograph(FaceSample(*[torch.zeros(1)] * 6, name="b", markup="68"), "300W", "2d"),
    ]
    runs = [
        Run("built-in", seed, 1.0, 0.03, {"a": 0.05 + seed / 100, "b": 0.07}, {"a": 0.04, "b": 0.06}) for seed in (0, 1)
    ]
    lines = table(runs, real, [0.2, 0.1]).splitlines()
    assert "1 of AFLW2000-3D" in lines[0] and "all 2" in lines[0]
    assert lines[1].split() == ["built-in", "2", "3.00", "+-0.00", "5.50", "+-0.71", "6.25", "+-0.35", "5.00", "+-0.00"]
    assert lines[2].split()[-2:] == ["20.00", "15.00"]


def test_a_difference_comes_with_its_interval() -> None:
    names = [str(number) for number in range(40)]
    easy = torch.linspace(0.02, 0.08, 40)
    runs = [
        Run(face, seed, 1.0, 0.0, dict(zip(names, (easy + gap + 0.001 * seed).tolist(), strict=True)), {})
        for face, gap in (("a", 0.01), ("b", 0.0))
        for seed in range(3)
    ]
    mean, low, high = difference(runs, "a", "b", names)
    assert mean == pytest.approx(0.01, abs=1e-6) and 0.008 < low < mean < high < 0.012
    assert difference(runs, "a", "a", names)[0] == 0 and difference(runs, "a", "b", names) == (mean, low, high)


def test_the_committed_result_reaches_its_bar() -> None:
    """The reference run of ``facelab bench transfer``: 6 % on photographs of all poses; both face models, three seeds.

    That scanned faces teach better than those drawn by code is not decided: the interval of the difference holds 0.
    """
    path = Path(__file__).parents[2] / "data" / "results" / "cpu" / "transfer.json"
    content = json.loads(path.read_text())
    mean: dict[str, list[float]] = {}
    for run in content["runs"]:
        chosen = [error for name, error in run["photographs"].items() if content["sources"][name] == "AFLW2000-3D"]
        mean.setdefault(run["face"], []).append(sum(chosen) / len(chosen))
    assert len(mean["built-in"]) >= 3 and len(mean["ICT-FaceKit"]) >= 3
    runs = [Run(**run) for run in content["runs"]]
    _, low, high = difference(runs, "built-in", "ICT-FaceKit", list(content["sources"]))
    assert low < 0 < high < 0.01
    assert sum(mean["built-in"]) / len(mean["built-in"]) < 0.06


def test_real_photographs_are_found_with_their_rule(real_data: Path) -> None:
    real = photographs(real_data)
    assert len(real) >= 14 and {face.jaw for face in real} == {"2d", "3d"}
    assert all(face.sample.markup == "68" for face in real)
    assert len({str(face.sample.name) for face in real}) == len(real)


def test_without_photographs_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACELAB_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="set FACELAB_DATA"):
        photographs()
    with pytest.raises(FileNotFoundError, match="expected photographs in real/AFLW2000"):
        photographs(tmp_path)
