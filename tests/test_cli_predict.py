"""``predict`` as a stranger calls it: every file it writes, every mistake it tells."""

import csv
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from matplotlib import cbook
from PIL import Image
from torch import Tensor, nn

from facelab import load, recipes
from facelab.cli import cli
from facelab.data import FaceSample, landmark_box
from facelab.data.images import read_image
from facelab.data.readers.pts import read_pts
from facelab.face3d import builtin_face
from facelab.predict import METHODS
from facelab.recipes import fan_depth
from facelab.training.keeper import MODEL
from facelab.training.weights import save_weights

pytestmark = pytest.mark.usefixtures("cached")
_PORTRAIT = Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))


@dataclass(frozen=True)
class _LowerIsNearer:
    """Depths that can be foretold: half of how much lower than the mean a landmark lies."""

    def model(self, seed: int = 0) -> nn.Module:
        del seed
        network = nn.Linear(1, 1, bias=False)
        nn.init.constant_(network.weight, 0.5)
        return network

    def depths(self, model: nn.Module, batch: FaceSample, points: Tensor) -> Tensor:
        assert len(batch.image) == len(points) == 1 and points.shape[1:] == (68, 2)
        lower = points[..., 1] - points[..., 1].mean(1, keepdim=True)
        return model(lower[..., None])[..., 0]


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def _write_run(folder: Path, recipe: str) -> Path:
    """An untrained network in the form of a finished run."""
    folder.mkdir(parents=True)
    told = {"recipe": recipe, "profile": "smoke", "settings": {}, "seed": 3}
    (folder / "run.json").write_text(json.dumps(told))
    save_weights(recipes.get(recipe, "smoke").model(3), folder / MODEL)
    return folder


@pytest.fixture(autouse=True)
def _depths_are_a_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.RECIPES, "fan-depth", {"smoke": _LowerIsNearer()})


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of the book with no networks; those that tests put there are not trained, so their peaks are low."""
    monkeypatch.setattr("facelab.predict.predictor._LEAST_PEAK", 0.0)
    checkout = tmp_path / "book"
    (checkout / "data").mkdir(parents=True)
    monkeypatch.setenv("FACELAB_BOOK", str(checkout))
    return checkout


@pytest.fixture
def run(book: Path, tmp_path: Path) -> Path:
    """A run of one's own; the book has no networks."""
    return _write_run(tmp_path / "run", "fan")


@pytest.fixture
def shipped(book: Path) -> Path:
    """The book with both networks."""
    for recipe in ("fan", "fan-depth"):
        _write_run(book / "data" / "checkpoints" / recipe, recipe)
    return book


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """The portrait twice, the second time at two thirds of its size."""
    with Image.open(_PORTRAIT) as portrait:
        small = portrait.resize((portrait.width * 2 // 3, portrait.height * 2 // 3))
        both = Image.new("RGB", (portrait.width + small.width, portrait.height), "grey")
        both.paste(portrait, (small.width, 0))
        both.paste(small, (0, 0))
    both.save(path := tmp_path / "pair.png")
    return path


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_photograph_alone_gives_a_table_in_three_dimensions(shipped: Path) -> None:
    result = _run("predict", _PORTRAIT)
    assert result.exit_code == 0, result.output
    rows = _rows(result.output)
    assert list(rows[0]) == ["face", "landmark", "x", "y", "z"] and len(rows) == 68
    assert [int(row["landmark"]) for row in rows] == list(range(68)) and {row["face"] for row in rows} == {"0"}
    y, z = (np.array([float(row[axis]) for row in rows]) for axis in "yz")
    np.testing.assert_allclose(z, 0.5 * (y - y.mean()), atol=2e-3)


def test_a_run_without_depths_gives_two_dimensions(run: Path) -> None:
    rows = _rows(_run("predict", _PORTRAIT, "--run", run).output)
    assert list(rows[0]) == ["face", "landmark", "x", "y"] and len(rows) == 68


def test_a_run_takes_the_depths_of_the_book_or_those_named(run: Path, book: Path, tmp_path: Path) -> None:
    named = _write_run(tmp_path / "depth", "fan-depth")
    by_name = _run("predict", _PORTRAIT, "--run", run, "--depth", named)
    _write_run(book / "data" / "checkpoints" / "fan-depth", "fan-depth")
    assert by_name.output == _run("predict", _PORTRAIT, "--run", run).output
    assert "z" in _rows(by_name.output)[0]


def test_the_depth_network_of_the_paper_fits(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.RECIPES, "fan-depth", fan_depth.PROFILES)
    depth = _write_run(tmp_path / "depth", "fan-depth")
    rows = _rows(_run("predict", _PORTRAIT, "--run", run, "--depth", depth).output)
    z = np.array([float(row["z"]) for row in rows])
    assert len(z) == 68 and z.std() > 0 and abs(z.mean()) < 1e-2


def _ship(book: Path, method: str) -> None:
    """An untrained network of a method, and that of depths, in the book."""
    folder, recipe = METHODS[method]
    for name, made_by in {folder: recipe, "fan-depth": "fan-depth"}.items():
        _write_run(book / "data" / "checkpoints" / name, made_by)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_points_in_three_dimensions(book: Path, tmp_path: Path, method: str) -> None:
    _ship(book, method)
    picture, table = tmp_path / "points.png", tmp_path / "points.csv"
    result = _run("predict", _PORTRAIT, "--model", method, "--output", picture, "--output", table)
    assert result.exit_code == 0, result.output
    assert read_image(picture).shape[1] > read_image(_PORTRAIT).shape[1]  # the views stand below the photograph
    rows = _rows(table.read_text())
    assert len(rows) == (66 if method == "two_stage" else 68)
    points = np.array([[float(row[axis]) for axis in "xyz"] for row in rows])
    assert np.isfinite(points).all() and abs(points[:, 2].mean()) < 1e-2
    (face,) = load(method).faces(read_image(_PORTRAIT))
    np.testing.assert_allclose(face.landmarks, points, atol=2e-3)
    assert (face.peak is not None) == (method == "fan")
    assert (face.parameters is not None) == (method in ("tddfa", "cln"))


@pytest.mark.parametrize("kind", ["obj", "ply"])
def test_a_mesh_is_written_upright(book: Path, tmp_path: Path, kind: str) -> None:
    trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed")
    _ship(book, "tddfa")
    output = tmp_path / f"face.{kind}"
    assert _run("predict", _PORTRAIT, "--model", "tddfa", "--output", output).exit_code == 0
    mesh = trimesh.load(output, process=False)
    (face,) = load("tddfa").faces(read_image(_PORTRAIT))
    vertices, triangles = face.mesh()
    np.testing.assert_allclose(mesh.vertices, vertices * torch.tensor([1.0, -1.0, 1.0]), rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(mesh.faces, triangles)


def test_landmarks_lie_on_the_mesh(book: Path) -> None:
    _ship(book, "cln")
    predictor = replace(load("cln"), mirror=False)
    (face,) = predictor.faces(read_image(_PORTRAIT))
    vertices, _ = face.mesh()
    torch.testing.assert_close(vertices[builtin_face().landmarks], face.landmarks, rtol=1e-4, atol=1e-2)


def test_who_finds_no_mesh_says_so(shipped: Path, pair: Path, tmp_path: Path) -> None:
    result = _run("predict", _PORTRAIT, "--output", tmp_path / "face.obj")
    assert result.exit_code == 2
    assert "face.obj: expected a network that finds a mesh: --model tddfa or --model cln" in result.output
    assert "OBJ holds one face, 2 found" in _run("predict", pair, "--output", tmp_path / "face.obj").output
    assert not (tmp_path / "face.obj").exists()
    with pytest.raises(ValueError, match="mesh: expected a method that finds the 62 parameters"):
        load("fan").faces(read_image(_PORTRAIT))[0].mesh()


def test_an_unknown_method_is_told(book: Path) -> None:
    result = _run("predict", _PORTRAIT, "--model", "tdfa")
    assert result.exit_code == 2
    assert "method: there is no 'tdfa'; did you mean 'tddfa'? expected one of two_stage, fan, " in result.output


def test_a_depth_network_is_refused_where_depth_is_known(book: Path, tmp_path: Path) -> None:
    _ship(book, "tddfa")
    result = _run("predict", _PORTRAIT, "--model", "tddfa", "--depth", book / "data" / "checkpoints" / "fan-depth")
    assert result.exit_code == 2 and "expected no depth network; tddfa-photographs finds z itself" in result.output


def test_all_files_tell_of_the_same_points(shipped: Path, tmp_path: Path) -> None:
    files = [tmp_path / "out" / f"points.{kind}" for kind in ("csv", "json", "pts", "PNG")]
    result = _run("predict", _PORTRAIT, *(word for file in files for word in ("--output", file)))
    assert result.exit_code == 0 and result.output.startswith("1 face; ")
    assert sorted(files[0].parent.iterdir()) == sorted(files)
    assert files[0].read_text() == _run("predict", _PORTRAIT).output
    told = json.loads(files[1].read_text())
    (face,) = told.pop("faces")
    origin = {"profile": "smoke", "seed": 3}
    assert told == {
        "photograph": "grace_hopper.jpg",
        "width": 512,
        "height": 600,
        "markup": "68",
        "network": {"recipe": "fan", **origin},
        "depth_network": {"recipe": "fan-depth", **origin},
        "decoder": "log-quadratic",
        "mirrored": True,
    }
    table = [[float(row[axis]) for axis in "xyz"] for row in _rows(files[0].read_text())]
    assert face["detected"] is True
    np.testing.assert_allclose(face["landmarks"], table, atol=1.5e-3)
    np.testing.assert_allclose(read_pts(files[2]), np.array(table)[:, :2], atol=1.5e-3)


def test_a_face_is_found_again_by_the_box_that_was_told(shipped: Path, tmp_path: Path) -> None:
    _run("predict", _PORTRAIT, "--output", first := tmp_path / "first.json")
    (face,) = json.loads(first.read_text())["faces"]
    _run("predict", _PORTRAIT, "--box", *map(str, face["box"]), "--output", second := tmp_path / "second.json")
    (again,) = json.loads(second.read_text())["faces"]
    assert again == {**face, "detected": False}


def test_several_faces_come_largest_first_and_boxes_in_their_order(shipped: Path, pair: Path, tmp_path: Path) -> None:
    result = _run("predict", pair, "--output", out := tmp_path / "pair.json")
    assert result.exit_code == 0 and result.output.startswith("2 faces; ")
    large, small = json.loads(out.read_text())["faces"]
    assert small["box"][2] < large["box"][0]  # the larger one stands on the right
    boxes = [str(value) for face in (small, large) for value in face["box"]]
    turned = _run("predict", pair, "--box", *boxes[:4], "--box", *boxes[4:])
    x = np.array([float(row["x"]) for row in _rows(turned.output)]).reshape(2, 68)
    np.testing.assert_allclose(
        x, np.array([small["landmarks"], large["landmarks"]])[..., 0], atol=2e-2
    )  # boxes are rounded


def test_a_pts_file_holds_one_face_and_nothing_is_written_for_more(shipped: Path, pair: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = _run("predict", pair, "--output", out / "all.csv", "--output", out / "points.pts")
    assert result.exit_code == 2 and result.output.count("\n") == 1
    assert "points.pts: PTS holds one face, 2 found; write .json, or choose with --box" in result.output
    assert not out.exists()


def test_the_picture_keeps_the_photograph_where_it_was(shipped: Path, run: Path, pair: Path, tmp_path: Path) -> None:
    """Pixels between the faces and the border are those of the photograph; views of both faces follow below."""
    flat, solid = tmp_path / "flat.png", tmp_path / "solid.png"
    (shipped / "data" / "checkpoints" / "fan-depth" / MODEL).unlink()
    assert _run("predict", pair, "--run", run, "--output", flat).exit_code == 0
    depth = _write_run(tmp_path / "depth", "fan-depth")
    assert _run("predict", pair, "--run", run, "--depth", depth, "--output", solid).exit_code == 0
    with Image.open(pair) as one, Image.open(flat) as two, Image.open(solid) as three:
        photograph, drawn, both = (np.asarray(each.convert("RGB")) for each in (one, two, three))
    assert drawn.shape == photograph.shape
    assert both.shape[1] == photograph.shape[1] and both.shape[0] > photograph.shape[0]
    np.testing.assert_allclose(both[: len(drawn)].astype(int), drawn.astype(int), atol=8)  # edges of lines are smoothed
    changed = (drawn != photograph).any(2)
    assert 500 < changed.sum() < 0.2 * changed.size and not changed[-100:].any()
    strip = (both[len(drawn) :] < 128).any(2)
    assert strip.any() and not strip.all()


def test_no_face_asks_for_a_box_and_writes_nothing(shipped: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(black := tmp_path / "black.png")
    result = _run("predict", black, "--output", tmp_path / "points.csv")
    assert result.exit_code == 2 and result.output.count("\n") == 1
    assert "black.png: no face found; the detector finds nearly frontal faces only" in result.output
    assert "--box X0 Y0 X1 Y1" in result.output and not (tmp_path / "points.csv").exists()
    assert _run("predict", black, "--box", "8", "8", "56", "56").output.count("\n") == 69


def test_help_names_the_limits_of_the_detector() -> None:
    assert "finds nearly frontal faces only" in _run("predict", "--help").output


def test_missing_networks_say_what_to_do(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advice = "give --run FOLDER, as made by: python -m facelab train fan-photographs --output FOLDER"
    result = _run("predict", _PORTRAIT)
    assert result.exit_code == 2 and f"checkpoints/fan: no trained network there; {advice}" in result.output
    _write_run(book / "data" / "checkpoints" / "fan", "fan")
    assert "checkpoints/fan-depth: no trained network there; give --depth FOLDER" in _run("predict", _PORTRAIT).output
    monkeypatch.setenv("FACELAB_BOOK", str(book / "nowhere"))
    result = _run("predict", _PORTRAIT)
    assert result.exit_code == 2 and f"set FACELAB_BOOK to a checkout of the book; or {advice}" in result.output


def test_a_run_of_the_other_kind_is_refused(run: Path, tmp_path: Path) -> None:
    depth, lift = (_write_run(tmp_path / name, name) for name in ("fan-depth", "fan-2d-to-3d"))
    for options, message in (
        (("--run", depth), "fan-depth: expected a run that finds landmarks, as fan; got one of fan-depth"),
        (("--run", lift), "expected a run that finds landmarks, as fan; got one of fan-2d-to-3d"),
        (("--run", run, "--depth", run), "run: expected a run that finds depths, as fan-depth; got one of fan"),
        (("--run", tmp_path), "expected the folder of a run, with run.json and model.safetensors"),
    ):
        result = _run("predict", _PORTRAIT, *options)
        assert result.exit_code == 2 and message in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--output", "face.gif"), "face.gif: expected a name that ends in .csv, .json, .pts, .obj, .ply or .png"),
        (("--output", "photo.png"), "photo.png: is the photograph itself; name another file"),
        (("--box", "9", "9", "5", "20"), "box: expected finite x0 < x1 and y0 < y1 in pixels, got 9 9 5 20"),
        (("--box", "nan", "9", "5", "20"), "box: expected finite x0 < x1 and y0 < y1 in pixels, got nan 9 5 20"),
        (("--box", "70", "9", "90", "20"), "box 70 9 90 20: lies outside the photograph of 64 x 48 pixels"),
    ],
)
def test_mistakes_are_one_line(
    options: tuple[str, ...], message: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 48)).save("photo.png")
    before = Path("photo.png").read_bytes()
    result = _run("predict", "photo.png", "--run", run, *options)
    assert result.exit_code == 2
    assert result.output.count("\n") == 1 and message in result.output
    assert Path("photo.png").read_bytes() == before


def test_a_missing_photograph_is_told(run: Path, tmp_path: Path) -> None:
    result = _run("predict", tmp_path / "none.jpg", "--run", run, "--output", tmp_path / "points.csv")
    assert result.exit_code == 2 and "none.jpg: no such picture" in result.output


def test_a_crowd_is_found(run: Path, real_data: Path) -> None:
    crowd = next((real_data / "real").glob("WFLW/**/*.jpg"))
    rows = _rows(_run("predict", crowd, "--run", run).output)
    points = torch.tensor([[float(row["x"]), float(row["y"])] for row in rows]).reshape(-1, 68, 2)
    assert len(points) > 10 and len({tuple(box) for box in landmark_box(points).tolist()}) == len(points)
