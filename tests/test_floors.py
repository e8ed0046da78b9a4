"""The rooms of the package, ground floor first: a room imports from its own floor and those below only."""

import ast
from pathlib import Path

import pytest

import facelab

PACKAGE = Path(facelab.__file__).parent
FLOORS = [
    {"markups", "places", "provenance"},
    {"geometry"},
    {"metrics"},
    {"face3d"},
    {"losses"},
    {"models", "data"},
    {"training", "interop"},
    {"recipes", "viz"},
    {"predict", "export", "ledger", "exercises"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# What a room knows nothing of, though it lies below.
STRANGERS = {
    "training": {"data", "models"},
    "viz": {"training"},
    "data": {"models"},
    "models": {"data"},
}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names |= {
                f"{node.module}.{alias.name}" if node.module == "facelab" else node.module for alias in node.names
            }
    return {name.split(".")[1] for name in names if name.startswith("facelab.")}


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = _room(path)
    for other in _imported_rooms(path) - {room}:
        assert FLOOR[other] < FLOOR[room], f"{room} imports {other}"
        assert other not in STRANGERS.get(room, set()), f"{room} knows nothing of {other}"


def test_every_room_has_a_floor() -> None:
    assert {_room(path) for path in FILES} == set(FLOOR)
