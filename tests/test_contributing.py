"""What CONTRIBUTING.md says of the house is so: its map is that of the floors, its reader reads."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_floors import FLOOR, STRANGERS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| `(\w+)` \| ([^|]+) \| ([^|]*)\|$", PAGE, flags=re.MULTILINE)


def test_the_map_is_that_of_the_floors() -> None:
    assert {room: int(floor) for floor, room, _, _ in ROWS} == FLOOR
    floors = [int(floor) for floor, *_ in ROWS]
    assert floors == sorted(floors, reverse=True)


@pytest.mark.parametrize("room", STRANGERS)
def test_what_a_room_knows_nothing_of_is_on_the_map(room: str) -> None:
    (strangers,) = (unknown for _, name, _, unknown in ROWS if name == room)
    words = strangers.replace("data sets", "data")
    assert all(other in words for other in STRANGERS[room]), strangers


@pytest.fixture(scope="module")
def reader() -> Any:
    (code,) = re.findall(r"^```python\n(.+?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    found: dict[str, Any] = {"__name__": "contributing"}
    exec(code, found)
    return found["TextFaces"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from PIL import Image

    for name in ("a", "b"):
        Image.new("RGB", (120, 100)).save(tmp_path / f"{name}.png")
        np.savetxt(tmp_path / f"{name}.txt", np.stack([np.arange(68) + 1, np.full(68, 50)], 1))
    return tmp_path


def test_the_reader_of_the_page_reads(reader: Any, folder: Path) -> None:
    faces = reader(folder)
    assert [face.name for face in faces] == ["a", "b"]
    np.testing.assert_array_equal(faces[0].landmarks[:3], [[0, 49], [1, 49], [2, 49]])
    assert faces[0].image.shape == (3, 100, 120)


def _shorten(folder: Path) -> None:
    (folder / "b.txt").write_text("1 2\n3 4\n")


def _garble(folder: Path) -> None:
    (folder / "b.txt").write_text("one two\n")


@pytest.mark.parametrize("damage", [_shorten, _garble])
def test_its_damaged_files_are_told(reader: Any, folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder)
    with pytest.raises(ValueError, match=r"b\.txt: expected 68 lines of two numbers"):
        reader(folder)[1]
    assert len(reader(folder, strict=False)) == 1


def test_a_missing_half_is_told(reader: Any, folder: Path) -> None:
    (folder / "b.txt").unlink()
    with pytest.raises(FileNotFoundError, match="no label for this picture"):
        reader(folder)


def test_files_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"`((?:tests|tools|src|data|book)/[\w./-]+)`", PAGE))
    there = {name for name in named if "PAPER" not in name}
    assert len(there) > 5
    assert [name for name in sorted(there) if not (ROOT / name).exists()] == []
