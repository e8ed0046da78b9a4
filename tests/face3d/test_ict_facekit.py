"""ICT-FaceKit: a made-up kit of the right size in the kit's own layout, damage to it, and the real one where it is."""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from facelab.face3d import MorphableModel, get_ict_facekit, read_ict_facekit
from facelab.face3d.ict_facekit import VERTICES

MODES = {"jawOpen": 3.0, "eyeBlink_L": 1.0, "eyeBlink_R": 0.5, "mouthClose": 9.0, "eyeLookIn_R": 0.25}
FACES = "f 1/1 2/2 3/3 4/4\nf 4/5 3/3 5/1\n"


def write_mesh(path: Path, points: np.ndarray, surface: str = FACES) -> None:
    places = "".join(f"vt {u} 0.5\n" for u in (0.0, 0.25, 0.5, 0.75, 1.0))
    text = ("v %.4f %.4f %.4f\n" * len(points)) % tuple(points.ravel().tolist())
    path.write_text(f"# made up\n{text}{places}usemtl M_Face\n{surface}")


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(VERTICES, 3)).round(4)


@pytest.fixture
def kit(tmp_path: Path, points: np.ndarray) -> Path:
    """A kit with 2 identity and 5 expression modes, each a shift along one axis."""
    folder = tmp_path / "kit" / "FaceXModel"
    folder.mkdir(parents=True)
    write_mesh(folder / "generic_neutral_mesh.obj", points)
    for number, axis in ((3, 0), (17, 1)):
        write_mesh(folder / f"identity{number:03d}.obj", points + 0.5 * np.eye(3)[axis])
    for name, size in MODES.items():
        write_mesh(folder / f"{name}.obj", points + size * np.eye(3)[2])
    names = ["browDown_L", *MODES]  # the first is listed, but its file is not there
    indices = {"expressions": names, "idx_to_landmark_verts": list(range(100, 168))}
    (folder / "vertex_indices.json").write_text(json.dumps(indices))
    return folder.parent


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_kit_is_read(kit: Path, cache: Path, points: np.ndarray) -> None:
    model = read_ict_facekit(kit, cache)
    torch.testing.assert_close(model.mean.T, torch.from_numpy(points).float())
    shifts = model.identity.mean(2)
    torch.testing.assert_close(shifts, torch.tensor([[0.5, 0, 0], [0, 0.5, 0]]), atol=1e-4, rtol=0)
    assert model.expression_names == ("jawOpen", "eyeBlink_left", "eyeBlink_right", "eyeLookLeft_right", "mouthClose")
    sizes = [MODES[name] for name in ("jawOpen", "eyeBlink_L", "eyeBlink_R", "eyeLookIn_R", "mouthClose")]
    torch.testing.assert_close(model.expression[:, 2].mean(1), torch.tensor(sizes), atol=1e-4, rtol=0)
    assert model.expression_std.tolist() == pytest.approx([0.35] * 4 + [0.0])
    assert model.landmarks.tolist() == list(range(100, 168))
    assert model.unit == "cm"


def test_quads_become_triangles_and_seams_keep_the_first_place(kit: Path, cache: Path) -> None:
    model = read_ict_facekit(kit, cache)
    assert model.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [3, 2, 4]]
    face = torch.tensor([0.0, 0.25]), 0.75  # the square of the face in the texture
    expected = torch.tensor([[0.0, 0.5], [0.25, 0.5], [0.5, 0.5], [0.75, 0.5], [0.0, 0.5]])
    torch.testing.assert_close(model.uv[:5], face[0] + face[1] * expected)


def test_regions_are_the_documented_ranges(kit: Path, cache: Path) -> None:
    model = read_ict_facekit(kit, cache)
    count = {name: int((model.region == number).sum()) for number, name in enumerate(model.region_names)}
    assert count == {
        "face": 9409, "head and neck": 1839, "mouth": 2046, "eye sockets": 768, "gums and tongue": 2977,
        "upper teeth": 2208, "lower teeth": 2204, "eyes": 1540, "inner eyes": 1600, "lacrimal fluid": 408,
        "eye blend": 48, "eye occlusion": 304, "eyelashes": 1368,
    }  # fmt: skip
    assert sum(count.values()) == VERTICES


def test_the_inner_folder_will_do_and_one_too_high_is_named(kit: Path, cache: Path) -> None:
    assert isinstance(read_ict_facekit(kit / "FaceXModel", cache), MorphableModel)
    with pytest.raises(FileNotFoundError, match=rf"{kit.parent}: expected FaceXModel.*give {kit}"):
        read_ict_facekit(kit.parent, cache)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read_ict_facekit(kit / "absent", cache)
    (kit / "FaceXModel" / "vertex_indices.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"vertex_indices\.json: missing"):
        read_ict_facekit(kit, cache)


def test_the_neutral_mesh_alone_is_a_model(kit: Path, cache: Path) -> None:
    for path in (kit / "FaceXModel").glob("*.obj"):
        if path.name != "generic_neutral_mesh.obj":
            path.unlink()
    model = read_ict_facekit(kit, cache)
    assert model.identity.shape == model.expression.shape == (0, 3, VERTICES)
    assert model.vertices().shape == (1, VERTICES, 3)


def test_the_cache_is_used_and_follows_the_files(kit: Path, cache: Path, points: np.ndarray) -> None:
    first = read_ict_facekit(kit, cache)
    (entry,) = cache.iterdir()
    written = entry.stat().st_mtime_ns
    assert torch.equal(read_ict_facekit(kit, cache).expression, first.expression)
    assert entry.stat().st_mtime_ns == written
    write_mesh(kit / "FaceXModel" / "jawOpen.obj", points + 4 * np.eye(3)[2])
    assert read_ict_facekit(kit, cache).expression[0].max() == pytest.approx(4.0, abs=1e-3)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text"])
def test_a_damaged_cache_is_made_again(kit: Path, cache: Path, damage: str) -> None:
    first = read_ict_facekit(kit, cache)
    (entry,) = cache.iterdir()
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 255
    entry.write_bytes({"cut": content[:5000], "flipped": content, "text": b"not an archive"}[damage])
    assert torch.equal(read_ict_facekit(kit, cache).expression, first.expression)
    assert [path.name for path in cache.iterdir()] == [entry.name]


def test_the_cache_folder_comes_from_the_environment(
    kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACELAB_CACHE", str(tmp_path / "elsewhere"))
    read_ict_facekit(kit)
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


def test_an_unwritable_cache_says_what_to_do(kit: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="set FACELAB_CACHE"):
        read_ict_facekit(kit, tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "replace", "message"),
    [
        ("jawOpen.obj", lambda text: text[:90000], "jawOpen.obj: expected 26719 vertices, found"),
        ("identity003.obj", lambda text: text.replace("v ", "v x", 1), "identity003.obj: expected 3 numbers"),
        ("identity003.obj", lambda text: text.replace("v ", "v nan ", 1), "identity003.obj: expected 3"),
        ("eyeBlink_L.obj", lambda text: text + "v 1 2 3\n", "found 26720"),
        ("generic_neutral_mesh.obj", lambda text: text.replace("f 1/1", "f 1/9"), "faces of 3 or more corners"),
        ("generic_neutral_mesh.obj", lambda text: text.replace("f 1/1", "f -1/1"), "faces of 3 or more corners"),
        ("generic_neutral_mesh.obj", lambda text: text.replace("f 1/1", "f 1"), "faces as 'f vertex/texture"),
        ("generic_neutral_mesh.obj", lambda text: text[: text.index("f 1/1")], "expected faces"),
        ("vertex_indices.json", lambda text: text[:40], "expected JSON with a list 'expressions'"),
        ("vertex_indices.json", lambda text: text.replace("167", "26719"), "expected 68 vertices from 0"),
        ("vertex_indices.json", lambda text: text.replace(", 167", ""), "expected 68 vertices from 0"),
    ],
)
def test_damage_is_named(kit: Path, cache: Path, name: str, replace, message: str) -> None:  # type: ignore[no-untyped-def]
    path = kit / "FaceXModel" / name
    path.write_text(replace(path.read_text()))
    with pytest.raises(ValueError, match=message):
        read_ict_facekit(kit, cache)


def test_cloning(kit: Path, tmp_path: Path, points: np.ndarray) -> None:
    author = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "kit"]):
        subprocess.run(["git", *command], cwd=kit, check=True, env=os.environ | author)
    target = tmp_path / "new" / "clone"
    assert get_ict_facekit(target, url=f"file://{kit}") == target
    assert (target / "FaceXModel" / "jawOpen.obj").is_file()
    assert get_ict_facekit(target, url="file:///nowhere") == target  # there already
    assert [path.name for path in target.parent.iterdir()] == ["clone"]


def test_a_failed_clone_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="check the internet connection"):
        get_ict_facekit(tmp_path / "clone", url=f"file://{tmp_path}/absent")
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="expected ICT-FaceKit or nothing"):
        get_ict_facekit(tmp_path)


def test_no_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="git is not installed"):
        get_ict_facekit(tmp_path / "clone")


@pytest.fixture(scope="module")
def real_kit(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[MorphableModel, float]:
    """The kit at hand, and the seconds of its second reading."""
    folder, cache = real_data / "ict-facekit", tmp_path_factory.mktemp("cache")
    if not folder.is_dir():
        pytest.skip("FACELAB_DATA has no ict-facekit")
    read_ict_facekit(folder, cache)
    start = time.perf_counter()
    return read_ict_facekit(folder, cache), time.perf_counter() - start


def test_the_real_kit(real_kit: tuple[MorphableModel, float]) -> None:
    model, seconds = real_kit
    assert seconds < 1.0
    assert len(model.identity) >= 1 and len(model.expression) >= 1
    assert len(model.triangles) == 2 * 25836 + 548
    place = model.landmarks_of(model.vertices())[0]
    assert place[36, 0] < place[39, 0] < 0 < place[42, 0] < place[45, 0]  # the eye at the left of the image is first
    assert place[8, 1] < place[57, 1] < place[30, 1] < place[27, 1]  # y up
    assert place[30, 2] == place[:, 2].max()  # the tip of the nose is nearest
    assert 8 < float(place[45, 0] - place[36, 0]) < 10  # cm


def test_real_modes_move_what_their_names_say(real_kit: tuple[MorphableModel, float]) -> None:
    model, _ = real_kit
    names = list(model.expression_names)
    by_name = {name: model.expression[names.index(name)][:, model.landmarks] for name in names}
    assert by_name["jawOpen"][1, 8] < -1 and by_name["jawOpen"][1, 27].abs() < 0.1
    left, right = by_name["eyeBlink_left"], by_name["eyeBlink_right"]
    assert left[1, 43] < -0.3 and left[1, 37].abs() < 0.05  # the person's left eye is at the right of the image
    assert right[1, 37] < -0.3 and right[1, 43].abs() < 0.05
    assert names[0] == "jawOpen" and names[-1] == "mouthClose"
