"""Files of points: whole, damaged, and of other mark-ups."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab.data.readers.pts import read_pts, read_stored_pts

FAST = settings(max_examples=200)
THREE = "version: 1\nn_points:  3\n{\n1.0 2.5\n30 40.25\n-5.5 1e2\n}\n"


def _write(folder: Path, content: str | bytes) -> Path:
    path = folder / "a.pts"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        THREE,
        THREE.rstrip("\n"),
        THREE.replace("n_points:  3", "n_points: 3"),
        THREE.replace("version: 1\n", ""),
        THREE.replace("\n", "\r\n"),
        THREE.replace("2.5\n", "2.5   \n\n").replace(" 2.5", "\t2.5"),
    ],
)
def test_points_are_counted_from_zero(tmp_path: Path, content: str) -> None:
    path = _write(tmp_path, content)
    assert read_pts(path, 3).tolist() == [[0, 1.5], [29, 39.25], [-6.5, 99]]
    assert torch.equal(read_stored_pts(path), read_pts(path) + 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected points between '{' and '}', found no {"),
        (THREE.partition("}")[0], "found no }: cut short"),
        (THREE.replace("n_points:  3", ""), "expected a line 'n_points: <number>', found ''"),
        (THREE.replace("  3", " three"), "expected a line 'n_points: <number>', found 'three'"),
        (THREE.replace("  3", " " + 5000 * "9"), "expected a line 'n_points: <number>', found '999"),
        (THREE.replace("  3", " 4"), r"expected 3 points, found 3 \(the header announces 4\)"),
        (THREE.replace("30 40.25\n", ""), r"expected 3 points, found 2 \(the header announces 3\)"),
        (THREE.replace("30 40.25", "30"), "expected one 'x y' a line between braces"),
        (THREE.replace("30 40.25", "30 40.25 1"), "expected one 'x y' a line between braces"),
        (THREE.replace("40.25", "forty"), "expected one 'x y' a line between braces"),
        (THREE.replace("40.25", "nan"), r"found point 1 at \(30, nan\)"),
        (THREE.replace("40.25", "-inf"), r"found point 1 at \(30, -inf\)"),
        (THREE.replace("40.25", "1e300"), r"expected finite coordinates up to 1000000 pixels, found point 1"),
        ("n_points: 0\n{\n}\n", r"expected 3 points, found 0"),
        (b"\xff\xfe\x00{}", "expected plain text"),
    ],
)
def test_what_is_no_whole_file_is_told(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.pts: .*{message}"):
        read_pts(_write(tmp_path, content), 3)


def test_another_mark_up_is_told(tmp_path: Path) -> None:
    path = _write(tmp_path, THREE)
    with pytest.raises(ValueError, match=r"a\.pts: expected 68 points, found 3 .*of another mark-up\?"):
        read_pts(path, 68)
    assert read_pts(path).shape == (3, 2)


def test_a_file_that_ends_early_never_passes(tmp_path: Path) -> None:
    for length in range(THREE.index("}") + 1):
        with pytest.raises(ValueError, match=r"a\.pts: "):
            read_pts(_write(tmp_path, THREE[:length]), 3)


def test_a_missing_or_huge_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.pts: no such label file"):
        read_pts(tmp_path / "a.pts")
    with pytest.raises(ValueError, match=r"a\.pts: expected a small text file"):
        read_pts(_write(tmp_path, THREE + " " * 2**20))


@FAST
@given(content=st.one_of(st.binary(max_size=200), st.text("{}:.-+enpoits_ 0123456789\nainf", max_size=80)))
def test_random_content_raises_value_errors_at_most(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    path = _write(tmp_path_factory.getbasetemp(), content if isinstance(content, bytes) else f"n_points: 2\n{content}")
    try:
        points = read_pts(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError("the message names no file") from error
        return
    assert points.shape[1] == 2 and points.isfinite().all()


@FAST
@given(places=st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=80))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, places: list[tuple[float, float]]) -> None:
    lines = "".join(f"{x!r} {y!r}\n" for x, y in places)
    path = _write(tmp_path_factory.getbasetemp(), f"version: 1\nn_points: {len(places)}\n{{\n{lines}}}\n")
    torch.testing.assert_close(read_stored_pts(path), torch.tensor(places, dtype=torch.float32))
