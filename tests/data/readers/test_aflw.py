"""AFLW with 19 points, in COCO-style JSON files made here."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab.data.readers import open_dataset

FAST = settings(max_examples=150)
POINTS = np.random.default_rng(0).uniform(10, 90, (19, 2)).round(2)


def _content(points: np.ndarray = POINTS, seen: int = 1, file: str = "a.jpg", count: int = 1) -> dict[str, Any]:
    keypoints = np.column_stack([points, np.full(len(points), seen)]).flatten().tolist()
    faces = [{"id": 40 + index, "image_id": 3, "keypoints": [*keypoints]} for index in range(count)]
    return {"images": [{"id": 3, "file_name": file, "width": 120, "height": 100}], "annotations": faces}


def _with(value: float) -> np.ndarray:
    points = POINTS.copy()
    points[3, 1] = value
    return points


@pytest.fixture
def folder(tmp_path: Path, write_picture: Callable[[Path], None]) -> Path:
    place = tmp_path / "AFLW"
    write_picture(place / "images" / "a.jpg")
    return place


def _write(folder: Path, content: Any, name: str = "aflw_train.json") -> None:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def test_points_are_counted_from_zero_and_unseen_ones_missing(folder: Path) -> None:
    content = _content(count=2)
    content["annotations"][0]["keypoints"][2] = 0  # the first point of the first face
    _write(folder, content)
    first, second = open_dataset("AFLW", folder, points=19)
    assert (first.name, second.name) == ("a-40", "a-41") and first.markup == "19"
    np.testing.assert_allclose(second.landmarks, POINTS, atol=1e-4)
    assert first.landmarks[0].isnan().all() and not first.visible[0] and first.visible[1:].all()
    assert first.box.isfinite().all() and first.pose.isnan().all()


def test_several_files_make_one_set(folder: Path) -> None:
    _write(folder, _content())
    _write(folder, _content(count=2), "aflw_test.json")
    assert len(open_dataset("AFLW", folder, points=19)) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected COCO-style JSON with 19 points a face"),
        ("[" * 100_000, "expected COCO-style JSON"),
        ([], "expected COCO-style JSON"),
        ({"images": []}, "expected COCO-style JSON .*annotations"),
        (_content(POINTS[:18]), "expected 19 points, found 18"),
        (_content(file="../secret.jpg"), r"expected a path below the folder, found '\.\./secret\.jpg'"),
        (_content(file="/etc/secret.jpg"), "expected a path below the folder"),
        (_content(file=5000 * "a"), "expected a path below the folder, found 'aaa"),
        (_content(_with(np.nan)), "expected finite coordinates up to 1000000 pixels, found point 3"),
        (_content(_with(1e300)), "expected finite coordinates up to 1000000 pixels, found point 3"),
        (_content(_with(1e7)), "expected finite coordinates up to 1000000 pixels, found point 3"),
    ],
)
def test_what_is_no_such_file_is_told(folder: Path, content: Any, message: str) -> None:
    _write(folder, content)
    with pytest.raises(ValueError, match=rf"AFLW.*: .*{message}"):
        open_dataset("AFLW", folder, points=19)[0]


def test_a_point_of_the_database_that_is_no_place(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "aflw.sqlite")) as base, base:
        for table in ("FaceRect (face_id, x, y, w, h)", "FacePose (face_id, roll, pitch, yaw)"):
            base.execute(f"CREATE TABLE {table}")
        base.execute("CREATE TABLE Faces AS SELECT 7 AS face_id, 'a' AS file_id")
        base.execute("CREATE TABLE FaceImages AS SELECT 'a' AS file_id, 'a.jpg' AS filepath")
        base.execute("CREATE TABLE FeatureCoords AS SELECT 7 AS face_id, 1 AS feature_id, 20.0 AS x, 30.0 AS y")
    (sample,) = list(open_dataset("AFLW", folder))
    assert sample.landmarks[0].tolist() == [19, 29] and sample.visible.sum() == 1 and sample.pose.isnan().all()
    with closing(sqlite3.connect(folder / "aflw.sqlite")) as base, base:
        base.execute("INSERT INTO FeatureCoords VALUES (7, 2, 1e300, 30.0)")
    with pytest.raises(ValueError, match=r"face 7: expected finite coordinates up to 1000000 pixels, found point 1"):
        open_dataset("AFLW", folder)[0]


def test_faces_that_cannot_be_used_are_counted(folder: Path) -> None:
    content = _content()
    content["images"].append({"id": 4, "file_name": "gone.jpg"})
    content["annotations"] += [
        {**content["annotations"][0], "image_id": 4},
        {**content["annotations"][0], "keypoints": [5000.0, 5000.0, 1] * 19},
        {**content["annotations"][0], "keypoints": [0.0, 0.0, 0] * 19},
    ]
    _write(folder, content)
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg: no picture for face gone-40; strict=False leaves"):
        open_dataset("AFLW", folder, points=19)
    faces = open_dataset("AFLW", folder, points=19, strict=False)
    assert len(faces) == 1
    assert [message.rpartition(": ")[2] for message in faces.skipped] == [
        "no picture for face gone-40",
        "expected landmarks near the 120 x 100 picture, found point 0 at (5000, 5000)",
        "expected at least one landmark, found none",
    ]


def test_wrong_places_and_options(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected aflw\.sqlite with images/"):
        open_dataset("AFLW", folder, points=19)
    _write(folder, _content())
    for wrong in (folder.parent, folder / "images"):
        with pytest.raises(FileNotFoundError, match=f"{folder} looks like it: give that folder"):
            open_dataset("AFLW", wrong, points=19)
    with pytest.raises(ValueError, match="AFLW points: expected 19 or 21, got 68"):
        open_dataset("AFLW", folder, points=68)


KEYS = st.sampled_from(["images", "annotations", "id", "file_name", "image_id", "keypoints"])
SCALARS = st.none() | st.floats() | st.integers() | st.text(max_size=5)
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))


@FAST
@given(images=ANYTHING, faces=ANYTHING, content=ANYTHING, kind=st.integers(0, 2))
def test_random_content_raises_value_errors_at_most(
    tmp_path_factory: pytest.TempPathFactory, images: Any, faces: Any, content: Any, kind: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "random"
    folder.mkdir(exist_ok=True)
    file = {"id": 3, "file_name": "a.jpg"}
    face = {"image_id": 3, "keypoints": content}
    _write(folder, [content, {"images": images, "annotations": faces}, {"images": [file], "annotations": [face]}][kind])
    try:
        open_dataset("AFLW", folder, points=19)
    except ValueError as error:
        if str(folder) not in str(error):
            raise AssertionError("the message names no file") from error
    except FileNotFoundError:  # no picture, or not a face
        return
