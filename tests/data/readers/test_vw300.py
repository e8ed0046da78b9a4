"""300-VW on videos made here: the number of each frame is its grey level."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from facelab.data import FaceSample
from facelab.data.readers import open_dataset

FRAMES = 40
STEP = 6  # grey levels between frames

WritePts = Callable[[Path, np.ndarray], None]


def _write_video(folder: Path, frames: int = FRAMES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(folder / "vid.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (160, 120))
    for number in range(frames):
        video.write(np.full((120, 160, 3), STEP * number, np.uint8))
    video.release()


def _number(sample: FaceSample) -> int:
    return round(float(sample.image.mean()) * 255 / STEP)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, write_pts: WritePts, points68: np.ndarray) -> Path:
    """Three videos: 001 for training, 114 of category A, 203 of B; point 0 of each label tells the frame too."""
    folder = tmp_path_factory.mktemp("videos") / "300-VW"
    for name in ("001", "114", "203"):
        _write_video(folder / name)
        for number in range(1, FRAMES + 1):
            points = points68.copy()
            points[0, 0] = number
            write_pts(folder / name / "annot" / f"{number:06d}.pts", points)
    return folder


def test_any_order_gives_the_frame_of_the_label(videos: Path, points68: np.ndarray) -> None:
    faces = open_dataset("300-VW", videos)
    assert len(faces) == 3 * FRAMES and faces[0].name == "001/000001"
    for index in (0, 1, 30, 29, 2, FRAMES + 5, 3, 2 * FRAMES + 1, 4, 3 * FRAMES - 1, FRAMES - 1, 0):
        sample = faces[index]
        assert sample.image.shape == (3, 120, 160)
        assert _number(sample) == index % FRAMES == sample.landmarks[0, 0].item()  # files count from 1
    np.testing.assert_allclose(faces[0].landmarks[1:], points68[1:] - 1, atol=1e-4)


def test_colours_are_not_swapped(tmp_path: Path, write_pts: WritePts, points68: np.ndarray) -> None:
    folder = tmp_path / "001"
    write_pts(folder / "annot" / "000001.pts", points68)
    video = cv2.VideoWriter(str(folder / "vid.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (160, 120))
    video.write(np.full((120, 160, 3), (10, 100, 200), np.uint8))  # blue, green, red
    video.release()
    red, green, blue = open_dataset("300-VW", tmp_path)[0].image.mean((1, 2)).mul(255).tolist()
    assert (red, green, blue) == pytest.approx((200, 100, 10), abs=4)


@pytest.mark.parametrize(("split", "names"), [("train", {"001"}), ("A", {"114"}), ("B", {"203"})])
def test_splits(videos: Path, split: str, names: set[str]) -> None:
    faces = open_dataset("300-VW", videos, split=split)
    assert {entry.name.split("/")[0] for entry in faces.entries} == names
    assert len(faces) == FRAMES


def test_an_absent_split_and_an_unknown_one(videos: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected folders <id> with vid\.avi"):
        open_dataset("300-VW", videos, split="C")
    with pytest.raises(ValueError, match="300-VW split: expected train, A, B, C or all; got 'D'"):
        open_dataset("300-VW", videos, split="D")


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_of_a_loader_open_videos_of_their_own(videos: Path, start: str) -> None:
    """Also when the parent has read frames before: a decoder does not outlive a fork."""
    faces = open_dataset("300-VW", videos, split="A")
    assert _number(faces[20]) == 20
    order = [21, 3, 39, 22, 0, 20]
    loader = DataLoader(faces, batch_size=None, sampler=order, num_workers=1, multiprocessing_context=start, timeout=60)
    assert [_number(sample) for sample in loader] == order
    assert _number(faces[21]) == 21


def test_more_labels_than_frames(tmp_path: Path, write_pts: WritePts, points68: np.ndarray) -> None:
    _write_video(tmp_path / "001", frames=5)
    for number in (1, 3, 5, 6, 9):
        write_pts(tmp_path / "001" / "annot" / f"{number:06d}.pts", points68)
    faces = open_dataset("300-VW", tmp_path)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"vid\.avi: expected frame 9, found 5 frames"):
            faces[4]
        assert _number(faces[1]) == 2
    sound = open_dataset("300-VW", tmp_path, strict=False)
    assert [_number(sample) for sample in sound] == [0, 2, 4]
    assert [message.partition("expected ")[2] for message in sound.skipped] == [
        "frame 6, found 5 frames",
        "frame 9, found 5 frames",
    ]


def test_half_of_a_pair_and_a_stray_label(tmp_path: Path, write_pts: WritePts, points68: np.ndarray) -> None:
    _write_video(tmp_path / "001", frames=2)
    with pytest.raises(FileNotFoundError, match=r"001: expected vid\.avi and annot/000001\.pts .*only one of them"):
        open_dataset("300-VW", tmp_path)
    write_pts(tmp_path / "001" / "annot" / "000002.pts", points68)
    write_pts(tmp_path / "001" / "annot" / "000000.pts", points68)
    with pytest.raises(FileNotFoundError, match=r"000000\.pts: expected a name such as 000001\.pts"):
        open_dataset("300-VW", tmp_path)
    write_pts(tmp_path / "002" / "annot" / "000001.pts", points68)
    faces = open_dataset("300-VW", tmp_path, strict=False)
    assert [sample.name for sample in faces] == ["001/000002"] and _number(faces[0]) == 1
    assert len(faces.skipped) == 2


def test_what_is_no_video(tmp_path: Path, write_pts: WritePts, points68: np.ndarray) -> None:
    write_pts(tmp_path / "001" / "annot" / "000001.pts", points68)
    (tmp_path / "001" / "vid.avi").write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(ValueError, match=r"vid\.avi: expected a readable video"):
        open_dataset("300-VW", tmp_path)[0]


def test_a_folder_one_level_off(videos: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{videos} looks like it: give that folder"):
        open_dataset("300-VW", videos.parent)
    with pytest.raises(FileNotFoundError, match=f"{videos} looks like it: give that folder"):
        open_dataset("300-VW", videos / "001")
