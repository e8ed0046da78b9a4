"""LS3D-W on files made here: four formats of the same 68 points."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab.data.readers import open_dataset
from facelab.data.readers.ls3dw import read_points

FAST = settings(max_examples=200)
WritePts = Callable[[Path, np.ndarray], None]
WritePicture = Callable[[Path], None]


def tensor(values: np.ndarray, index: int = 1) -> bytes:
    """A tensor of single precision as Torch7 writes it; it takes two indices."""

    def head(number: int, name: str) -> bytes:
        texts = (struct.pack("<i", len(text)) + text.encode() for text in ("V 1", f"torch.Float{name}"))
        return struct.pack("<2i", 4, number) + b"".join(texts)

    rows, columns = values.shape
    sizes = struct.pack("<i5q", 2, rows, columns, columns, 1, 1)
    numbers = struct.pack("<q", values.size) + values.astype("<f4").tobytes()
    return head(index, "Tensor") + sizes + head(index + 1, "Storage") + numbers


def table(*tensors: np.ndarray) -> bytes:
    """A table of tensors with the keys 1, 2 ..."""
    pairs = [struct.pack("<id", 1, key) + tensor(values, 2 * key) for key, values in enumerate(tensors, 1)]
    return struct.pack("<3i", 3, 1, len(pairs)) + b"".join(pairs)


@pytest.fixture
def write(write_pts: WritePts) -> WritePts:
    """Writes a label in the format of its suffix."""

    def written(path: Path, points: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".t7":
            path.write_bytes(tensor(points))
        elif path.suffix == ".npy":
            np.save(path, points)
        elif path.suffix == ".mat":
            scipy.io.savemat(path, {"pt3d": points})
        else:
            write_pts(path, points)

    return written


@pytest.mark.parametrize("suffix", [".t7", ".mat", ".npy", ".pts"])
def test_every_format_counts_from_one(tmp_path: Path, write: WritePts, points68: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, points68)
    np.testing.assert_allclose(read_points(path), points68 - 1, atol=1e-4)


@pytest.mark.parametrize("suffix", [".t7", ".mat", ".npy"])
def test_points_may_lie_in_columns(tmp_path: Path, write: WritePts, points68: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, points68.T)
    np.testing.assert_allclose(read_points(path), points68 - 1, atol=1e-4)


def test_a_table_may_hold_other_values_but_one_array_of_points(tmp_path: Path, points68: np.ndarray) -> None:
    path = tmp_path / "a.t7"
    path.write_bytes(table(np.ones((1, 4)), points68))
    np.testing.assert_allclose(read_points(path), points68 - 1, atol=1e-4)
    path.write_bytes(table(points68, points68))
    with pytest.raises(ValueError, match=r"a\.t7: expected one array of 68 x 2 numbers, found shapes"):
        read_points(path)


@pytest.mark.parametrize("suffix", [".t7", ".mat", ".npy", ".pts"])
def test_every_cut_is_told(tmp_path: Path, write: WritePts, points68: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, points68)
    whole = path.read_bytes()
    for eighth in range(8):
        path.write_bytes(whole[: len(whole) * eighth // 8])
        with pytest.raises(ValueError, match=rf"a\{suffix}: expected"):
            read_points(path)


@pytest.mark.parametrize("suffix", [".t7", ".mat", ".npy", ".pts"])
@pytest.mark.parametrize(("value", "message"), [(np.nan, r"point 3 at \(.*nan"), (1e9, r"up to 1000000 pixels")])
def test_numbers_that_are_no_places(
    tmp_path: Path, write: WritePts, points68: np.ndarray, suffix: str, value: float, message: str
) -> None:
    points = points68.copy()
    points[3, 1] = value
    write(tmp_path / f"a{suffix}", points)
    with pytest.raises(ValueError, match=rf"a\{suffix}: .*{message}"):
        read_points(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".t7", ".mat", ".npy", ".pts"])
def test_another_number_of_points(tmp_path: Path, write: WritePts, points68: np.ndarray, suffix: str) -> None:
    write(tmp_path / f"a{suffix}", points68[:66])
    with pytest.raises(ValueError, match=rf"a\{suffix}: expected .*68"):
        read_points(tmp_path / f"a{suffix}")


def test_numpy_files_hold_numbers_alone(tmp_path: Path, points68: np.ndarray) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"run": "me"}] * 2, dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"a\.npy: .*Python objects"):
        read_points(path)
    with path.open("wb") as file:
        np.savez(file, points68)
    with pytest.raises(ValueError, match=r"a\.npy: expected a whole \.npy file with 68 points: the magic string"):
        read_points(path)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 2)})
    with pytest.raises(ValueError, match=r"a\.npy: .*greater than file size"):
        read_points(path)
    np.save(path, np.full((68, 2), "x"))
    with pytest.raises(ValueError, match=r"a\.npy: expected one array of 68 x 2 numbers"):
        read_points(path)


@FAST
@given(
    changes=st.lists(st.tuples(st.integers(0, 127), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 2000),
)
def test_damaged_numpy_files(
    tmp_path_factory: pytest.TempPathFactory, points68: np.ndarray, changes: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.npy"
    np.save(path, points68)
    content = bytearray(path.read_bytes()[:cut])
    for place, value in changes:  # the header takes 128 bytes
        if place < len(content):
            content[place] = value
    path.write_bytes(content)
    try:
        points = read_points(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError("the message names no file") from error
        return
    assert points.shape == (68, 2) and points.isfinite().all()


@pytest.fixture
def archive(tmp_path: Path, write: WritePts, write_picture: WritePicture, points68: np.ndarray) -> Path:
    """One picture in every set, each with its label in another format."""
    folder = tmp_path / "LS3D-W"
    for place in (
        "300W-Testset-3D/indoor_001.t7", "Menpo-3D/a.mat", "AFLW2000-3D-Reannotated/image00002.npy",
        "300VW-3D/CatA/114/0001.pts", "300VW-3D/CatB/203/0001.t7", "300VW-3D/CatC/410/0001.t7",
        "300VW-3D/Trainset/001/0001.t7", "new_dataset/1.t7",
    ):  # fmt: skip
        write(folder / place, points68)
        write_picture((folder / place).with_suffix(".png"))
    return folder


@pytest.mark.parametrize(
    ("split", "name"),
    [
        ("300W-Testset-3D", "300W-Testset-3D/indoor_001"),
        ("Menpo-3D", "Menpo-3D/a"),
        ("AFLW2000-3D", "AFLW2000-3D-Reannotated/image00002"),
        ("300VW-A", "300VW-3D/CatA/114/0001"),
        ("300VW-B", "300VW-3D/CatB/203/0001"),
        ("300VW-C", "300VW-3D/CatC/410/0001"),
        ("300VW-train", "300VW-3D/Trainset/001/0001"),
        ("balanced", "new_dataset/1"),
    ],
)
def test_splits(archive: Path, points68: np.ndarray, split: str, name: str) -> None:
    (sample,) = list(open_dataset("LS3D-W", archive, split=split))
    assert sample.name == name and sample.image.shape == (3, 100, 120)
    np.testing.assert_allclose(sample.landmarks, points68 - 1, atol=1e-4)
    assert len(open_dataset("LS3D-W", archive)) == 8


def test_the_torch_file_comes_before_others_of_its_name(archive: Path, write: WritePts, points68: np.ndarray) -> None:
    write(archive / "300W-Testset-3D" / "indoor_001.pts", points68 + 5)  # the label of 300-W itself, with its own jaw
    (sample,) = list(open_dataset("LS3D-W", archive, split="300W-Testset-3D"))
    np.testing.assert_allclose(sample.landmarks, points68 - 1, atol=1e-4)


def test_unpaired_files(archive: Path, write_picture: WritePicture) -> None:
    write_picture(archive / "Menpo-3D" / "b.jpg")
    (archive / "new_dataset" / "1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.jpg: no label for this picture; strict=False leaves"):
        open_dataset("LS3D-W", archive, split="Menpo-3D")
    with pytest.raises(FileNotFoundError, match=r"1\.t7: no picture for this label"):
        open_dataset("LS3D-W", archive, split="balanced")
    faces = open_dataset("LS3D-W", archive, strict=False)
    assert len(faces) == 7 and len(faces.skipped) == 2


def test_damaged_files_are_counted(archive: Path) -> None:
    (archive / "Menpo-3D" / "a.mat").write_bytes(b"MATLAB")
    (archive / "new_dataset" / "1.png").write_bytes(b"\x89PNG")
    faces = open_dataset("LS3D-W", archive, strict=False)
    assert len(faces) == 6 and sorted(Path(m.partition(": ")[0]).name for m in faces.skipped) == ["1.png", "a.mat"]


def test_wrong_places_and_splits(archive: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{archive} looks like it: give that folder"):
        open_dataset("LS3D-W", archive.parent, split="Menpo-3D")
    with pytest.raises(FileNotFoundError, match=rf"{archive} looks like it: give that folder"):
        open_dataset("LS3D-W", archive / "Menpo-3D", split="balanced")
    with pytest.raises(ValueError, match="LS3D-W split: expected one of 300W-Testset-3D, .*; got 'A'"):
        open_dataset("LS3D-W", archive, split="A")
