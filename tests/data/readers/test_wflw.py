"""WFLW on a list written here."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab.data.readers import open_dataset
from facelab.data.readers.wflw import ATTRIBUTES, parse_line

FAST = settings(max_examples=200)
PICTURE = "1--Crowd/a_1.jpg"
POINTS = np.random.default_rng(0).uniform(10, 90, (98, 2)).round(6)
BOX = (12, 9, 88, 91)


def _line(attributes: tuple[int, ...] = (0,) * 6, picture: str = PICTURE, box: tuple[int, ...] = BOX) -> str:
    return " ".join(map(str, [*POINTS.flatten().tolist(), *box, *attributes, picture]))


@pytest.fixture
def write(tmp_path: Path, write_picture: Callable[[Path], None]) -> Callable[..., Path]:
    """Writes the list of a split, and its picture; returns the folder."""
    folder = tmp_path / "WFLW"
    write_picture(folder / "WFLW_images" / PICTURE)

    def written(*lines: str, split: str = "test") -> Path:
        annotations = folder / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
        annotations.mkdir(parents=True, exist_ok=True)
        (annotations / f"list_98pt_rect_attr_{split}.txt").write_text("\n".join(lines) + "\n")
        return folder

    return written


def test_a_line_is_a_sample(write: Callable[..., Path]) -> None:
    folder = write(_line(), "", _line((1, 0, 1, 0, 0, 1), box=(13, 9, 88, 91)))
    faces = open_dataset("WFLW", folder)
    assert [sample.name for sample in faces] == ["1--Crowd/a_1@12,9", "1--Crowd/a_1@13,9"]
    np.testing.assert_allclose(faces[0].landmarks, POINTS, atol=1e-4)  # as they stand
    assert faces[0].box.tolist() == list(BOX) and faces[0].markup == "98"
    assert faces.attributes.tolist() == [[False] * 6, [True, False, True, False, False, True]]


@pytest.mark.parametrize("place", range(6))
def test_subsets_are_faces_with_an_attribute(write: Callable[..., Path], place: int) -> None:
    only = [tuple(int(i == j) for j in range(6)) for i in range(6)]
    folder = write(_line(), *(_line(flags, box=(i, 0, 50, 50)) for i, flags in enumerate(only)))
    faces = open_dataset("WFLW", folder, subset=ATTRIBUTES[place])
    assert [sample.box[0].item() for sample in faces] == [place]
    assert faces.attributes.tolist() == [[bool(flag) for flag in only[place]]]


def test_splits_are_lists_of_their_own(write: Callable[..., Path]) -> None:
    write(_line(), split="train")
    folder = write(_line(), _line())
    assert len(open_dataset("WFLW", folder, split="train")) == 1
    assert len(open_dataset("WFLW", folder)) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (" ".join([*_line().split()[:196], PICTURE]), r"expected 207 fields .* found 197"),
        (_line() + " more", "found 208"),
        ("x" + _line(), "expected numbers before the path"),
        (_line().replace(_line().split()[7], "nan"), r"found point 3 at \(.*nan\)"),
        (_line().replace(_line().split()[7], "1e9"), "up to 1000000 pixels, found point 3"),
        (_line(box=(88, 9, 12, 91)), "expected a rectangle x0 < x1, y0 < y1 and six attributes 0 or 1"),
        (_line((0, 0, 0, 2, 0, 0)), "six attributes 0 or 1"),
        (_line(picture="/etc/passwd"), "expected a path below WFLW_images, found '/etc/passwd'"),
        (_line(picture=5000 * "a"), "expected a path below WFLW_images, found 'aaa"),
        (_line(picture="../../a.jpg"), r"expected a path below WFLW_images, found '\.\./\.\./a\.jpg'"),
    ],
)
def test_bad_lines_are_told_with_their_number(write: Callable[..., Path], line: str, message: str) -> None:
    folder = write(_line(), line)
    with pytest.raises(ValueError, match=rf"list_98pt_rect_attr_test\.txt: line 2: .*{message}"):
        open_dataset("WFLW", folder)
    faces = open_dataset("WFLW", folder, strict=False)
    assert len(faces) == 1 and len(faces.skipped) == 1 and "line 2" in faces.skipped[0]


def test_a_line_without_its_picture(write: Callable[..., Path]) -> None:
    folder = write(_line(), _line(picture="1--Crowd/gone.jpg"))
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg: no picture for line 2 of list_98pt_rect_attr_test\.txt"):
        open_dataset("WFLW", folder)
    assert len(open_dataset("WFLW", folder, strict=False)) == 1


def test_landmarks_far_from_the_picture(write: Callable[..., Path]) -> None:
    moved = _line().split()
    moved[0] = "4000"
    folder = write(" ".join(moved))
    with pytest.raises(ValueError, match="expected landmarks near the 120 x 100 picture, found point 0"):
        open_dataset("WFLW", folder)[0]
    assert len(open_dataset("WFLW", folder, strict=False)) == 0


def test_bad_folders_and_options(write: Callable[..., Path]) -> None:
    folder = write(_line())
    for wrong in (folder.parent, folder / "WFLW_annotations"):
        with pytest.raises(FileNotFoundError, match=rf"{wrong}: expected WFLW_images/ and .*; {folder} looks like it"):
            open_dataset("WFLW", wrong)
    with pytest.raises(FileNotFoundError, match="expected WFLW_images/"):
        open_dataset("WFLW", folder, split="train")
    with pytest.raises(ValueError, match="WFLW split: expected 'train' or 'test', got 'val'"):
        open_dataset("WFLW", folder, split="val")
    with pytest.raises(ValueError, match="WFLW subset: expected one of pose, .*, got 'hats'"):
        open_dataset("WFLW", folder, subset="hats")


@FAST
@given(line=st.one_of(st.text(max_size=80), st.lists(st.floats().map(str), min_size=206, max_size=206).map(" ".join)))
def test_random_lines(line: str) -> None:
    for text in (line, f"{line} a.jpg"):
        try:
            entry = parse_line(text, "the line", Path("pictures"))
        except ValueError as error:
            if "the line: expected" not in str(error):
                raise AssertionError("the message names no place") from error
            continue
        assert len(entry.numbers) == 206 and np.isfinite(entry.numbers).all()
