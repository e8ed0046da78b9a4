"""Files made to do harm: none may hang a reader, exhaust the memory, or make it open another file."""

import sqlite3
import struct
import time
import zlib
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from facelab.data.readers import aflw, base, cofw, matlab, open_dataset
from facelab.data.readers.base import check_points, picture_size

FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
RNG = np.random.default_rng(0)


def _block(plain: bytes) -> bytes:
    packed = zlib.compress(plain)
    return struct.pack("<II", 15, len(packed)) + packed


def _matrix(name: str, values: np.ndarray) -> bytes:
    parts = [
        (6, struct.pack("<II", 6, 0)),
        (5, struct.pack(f"<{values.ndim}i", *values.shape)),
        (1, name.encode()),
        (9, values.astype("<f8").tobytes(order="F")),
    ]
    body = b"".join(struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8) for kind, data in parts)
    return struct.pack("<II", 14, len(body)) + body


HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"


def test_many_small_blocks_may_not_inflate_to_a_large_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(6.0).reshape(2, 3)
    path = tmp_path / "a.mat"
    path.write_bytes(HEADER + _block(_matrix("a", values)) + _block(_matrix("b", -values)))
    assert matlab.read_matlab(path, {"a": (2, 3), "b": (2, 3)})["b"].tolist() == (-values).tolist()
    zeros = np.zeros((50, 50))
    path.write_bytes(HEADER + b"".join(_block(_matrix(name, zeros)) for name in "abc"))
    matlab.read_matlab(path, {"c": (50, 50)})
    monkeypatch.setattr(matlab, "_LARGEST", 2 * zeros.nbytes + 1000)  # more than two of the three
    with pytest.raises(ValueError, match=r"a\.mat: expected a whole MATLAB 5 file: .*the file inflates to more than"):
        matlab.read_matlab(path, {"a": (50, 50)})


def test_numbers_too_large_for_single_precision_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(HEADER + _block(_matrix("a", np.array([[1e300, 0.0]]))))
    with pytest.raises(ValueError, match=r"field a: expected finite numbers"):
        matlab.read_matlab(path, {"a": (1, 2)})


def _write_cofw(path: Path, count: int = 3) -> None:
    """As MATLAB 7.3 does: cells are references into a group, every array is stored as its transpose."""
    with h5py.File(path, "w", userblock_size=512) as file:
        cells = file.create_dataset("IsT", (1, count), dtype=h5py.ref_dtype)
        for index in range(count):
            shape = (3, 40, 50) if index else (40, 50)  # the first is grey; 40 wide, 50 high
            pixels = RNG.integers(0, 255, shape, np.uint8)
            cells[0, index] = file.create_dataset(f"#refs#/p{index}", data=pixels, chunks=True, compression=3).ref
        points = RNG.uniform(5, 35, (58, count))
        file["phisT"] = np.concatenate([points, RNG.integers(0, 2, (29, count))])
        file["bboxesT"] = np.tile([[3.0], [4.0], [30.0], [40.0]], count)


def test_cofw_counts_pixels_from_one_and_turns_occlusion_round(tmp_path: Path) -> None:
    path = tmp_path / "COFW_test_color.mat"
    _write_cofw(path)
    faces = open_dataset("COFW", tmp_path)
    with h5py.File(path) as file:
        phis, colour, grey = (np.asarray(file[name]) for name in ("phisT", "#refs#/p1", "#refs#/p0"))
    assert len(faces) == 3
    sample = faces[1]
    np.testing.assert_allclose(sample.landmarks, np.stack([phis[:29, 1], phis[29:58, 1]], 1) - 1, atol=1e-5)
    np.testing.assert_array_equal(sample.visible, phis[58:, 1] == 0)
    assert sample.box.tolist() == [2.0, 3.0, 32.0, 43.0]
    np.testing.assert_allclose(sample.image * 255, colour.transpose(0, 2, 1), atol=1e-3)
    np.testing.assert_allclose(faces[0].image * 255, np.broadcast_to(grey.T, (3, 50, 40)), atol=1e-3)


@pytest.mark.parametrize(("box", "found"), [((3.0, 4.0, -30.0, 40.0), "x0 < x1"), ((3.0, 4.0, 1e300, 4.0), "point 1")])
def test_a_box_that_cannot_be_is_left_out(tmp_path: Path, box: tuple[float, ...], found: str) -> None:
    path = tmp_path / "COFW_test_color.mat"
    _write_cofw(path)
    with h5py.File(path, "r+") as file:
        file["bboxesT"][:, 1] = box
    faces = open_dataset("COFW", tmp_path, strict=False)
    assert [sample.name for sample in faces] == ["test-0001", "test-0003"]
    (message,) = faces.skipped
    assert "sample test-0002" in message and found in message


@pytest.mark.parametrize("way", ["external link", "soft link", "external storage", "virtual", "huge"])
def test_cofw_reads_no_other_file_and_nothing_huge(tmp_path: Path, way: str) -> None:
    path, other = tmp_path / "COFW_test_color.mat", tmp_path / "other.h5"
    _write_cofw(path)
    with h5py.File(other, "w") as file:
        file["secret"] = np.zeros((87, 3))
    (tmp_path / "raw").write_bytes(bytes(87 * 3 * 8))
    with h5py.File(path, "r+") as file:
        del file["phisT"]
        if way == "external link":
            file["phisT"] = h5py.ExternalLink(str(other), "secret")
        elif way == "soft link":
            file["phisT"] = h5py.SoftLink("/nowhere")
        elif way == "external storage":
            file.create_dataset("phisT", (87, 3), "f8", external=[(str(tmp_path / "raw"), 0, 87 * 3 * 8)])
        elif way == "virtual":
            layout = h5py.VirtualLayout((87, 3), "f8")
            layout[:] = h5py.VirtualSource(str(other), "secret", (87, 3))
            file.create_virtual_dataset("phisT", layout)
        else:
            file.create_dataset("phisT", (87, 10**9), "f8", chunks=(87, 1000))
    with pytest.raises(ValueError, match=r"COFW_test_color\.mat: field phisT: expected an array"):
        open_dataset("COFW", tmp_path)


@FAST
@given(data=st.data())
def test_cofw_survives_damage(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("cofw")
    path = folder / "COFW_test_color.mat"
    _write_cofw(path, 2)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(512, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2]))])
    try:
        faces = open_dataset("COFW", folder, strict=False)
    except (ValueError, FileNotFoundError):
        return
    assert len(faces) + len(faces.skipped) == 2
    for sample in faces:
        assert sample.image.shape[0] == 3 and sample.landmarks.shape == (29, 2)


_TABLES = {
    "Faces": "face_id, file_id",
    "FaceImages": "file_id, filepath",
    "FaceRect": "face_id, x, y, w, h",
    "FacePose": "face_id, roll, pitch, yaw",
    "FeatureCoords": "face_id, feature_id, x, y",
}


def _write_aflw(folder: Path, without: str = "") -> Path:
    (folder / "data" / "flickr" / "0").mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 255, (60, 60, 3), np.uint8)).save(folder / "data" / "flickr" / "0" / "a.jpg")
    path = folder / "aflw.sqlite"
    with closing(sqlite3.connect(path)) as base, base:
        for table, columns in _TABLES.items():
            if table != without:
                base.execute(f"CREATE TABLE {table} ({columns})")
        if without:
            return path
        base.execute("INSERT INTO Faces VALUES (7, 'a.jpg')")
        base.execute("INSERT INTO FaceImages VALUES ('a.jpg', '0/a.jpg')")
        base.executemany("INSERT INTO FaceRect VALUES (7, ?, 6, 40, 45)", [(5,), (6,)])  # two annotators
        base.execute("INSERT INTO FacePose VALUES (7, 0.1, 0.2, 0.3)")
        base.executemany("INSERT INTO FeatureCoords VALUES (7, ?, ?, 30.5)", [(1, 10.0), (15, 21.0), (21, 33.0)])
    return path


def test_aflw_gives_one_sample_a_face_with_the_seen_points(tmp_path: Path) -> None:
    _write_aflw(tmp_path)
    (sample,) = list(open_dataset("AFLW", tmp_path))
    assert sample.visible.nonzero().flatten().tolist() == [0, 14, 20]
    assert sample.landmarks[14].tolist() == [20.0, 29.5]
    assert sample.landmarks[1].isnan().all()
    assert sample.pose.tolist() == pytest.approx([0.2, 0.3, 0.1])
    assert (sample.box[2:] - sample.box[:2]).tolist() == [40.0, 45.0]


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


def test_an_endless_view_is_not_a_table(tmp_path: Path) -> None:
    path = _write_aflw(tmp_path, without="FeatureCoords")
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(
            f"CREATE VIEW FeatureCoords AS {ENDLESS} SELECT 7 AS face_id, 1 AS feature_id, i AS x, i AS y FROM n"
        )
    with pytest.raises(ValueError, match=r"aflw\.sqlite: .*no FeatureCoords"):
        open_dataset("AFLW", tmp_path)


def test_a_query_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_aflw(tmp_path)
    monkeypatch.setattr(aflw, "_MOST_STEPS", 1_000_000)
    monkeypatch.setattr(aflw, "_POINTS_QUERY", f"{ENDLESS} SELECT 7, 1, i, i FROM n WHERE i < 0")
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"aflw\.sqlite: expected the SQLite database of AFLW: interrupted"):
        open_dataset("AFLW", tmp_path)
    assert time.monotonic() - start < 10


def test_a_database_names_no_picture_outside_the_folder(tmp_path: Path) -> None:
    path = _write_aflw(tmp_path)
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("UPDATE FaceImages SET filepath = '../../secret.jpg'")
    with pytest.raises(ValueError, match=r"expected a path below the folder, found '\.\./\.\./secret\.jpg'"):
        open_dataset("AFLW", tmp_path)


@pytest.fixture(scope="module")
def sound_aflw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write_aflw(tmp_path_factory.mktemp("sound"))


@FAST
@given(data=st.data())
def test_aflw_survives_damage(tmp_path_factory: pytest.TempPathFactory, sound_aflw: Path, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("aflw")
    (folder / "data").symlink_to(sound_aflw.parent / "data")
    path = folder / "aflw.sqlite"
    content = bytearray(sound_aflw.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        faces = open_dataset("AFLW", folder, strict=False)
    except (ValueError, FileNotFoundError):
        return
    assert all(sample.landmarks.shape == (21, 2) for sample in faces)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((4, 2)), r"x\.pts: expected 5 points of 2 or 3 coordinates, found shape \(4, 2\)"),
        (np.zeros((5, 4)), r"found shape \(5, 4\)"),
        (np.full((5, 2), np.nan), r"found point 0 at \(nan, nan\)"),
        (np.full((5, 2), 1e9), r"expected finite coordinates up to 1000000 pixels, found point 0"),
        (np.array([[0, 0]] * 4 + [[900, 10]]), r"expected landmarks near the 100 x 200 picture, found point 4"),
    ],
)
def test_points_that_cannot_be_right(points: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_points(points, 5, "x.pts", (100, 200))
    check_points(np.full((5, 2), -50.0), 5, "x.pts", (100, 200))


def test_a_picture_cut_short_is_found_without_decoding_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    picture = Image.fromarray(RNG.integers(0, 255, (200, 120, 3), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # lies on its side
    picture.save(path, exif=exif)
    assert picture_size(path) == (200, 120)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(ValueError, match=r"a\.jpg: expected a readable picture"):
        picture_size(path)
    with pytest.raises(FileNotFoundError, match="no such picture"):
        picture_size(tmp_path / "b.jpg")


def test_limits_are_those_of_real_sets() -> None:
    """COFW's largest table and a large photograph pass; both limits are far below the memory of a laptop."""
    assert 1345 * 87 * 8 < cofw._LARGEST < 2**30
    assert cofw._LARGEST > 4000 * 4000 * 3
    assert base.FARTHEST > 10_000
