"""``data/README.md`` names every data set, its layout and its chapters, as the registry does."""

from pathlib import Path

import pytest

from facelab.data import DATA_SETS

README = (Path(__file__).parents[2] / "data" / "README.md").read_text()


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_set_has_its_section(name: str) -> None:
    section = README.split(f"\n## {name}\n")[1].split("\n## ")[0]
    for heading in ("**Ask:**", "**Licence:**", "**Layout:**"):
        assert heading in section, heading
    (row,) = (line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    _, _, points, tried, chapters, _ = (cell.strip() for cell in row.split("|"))
    what = DATA_SETS[name]
    assert points == what.points and tuple(chapters.split(", ")) == what.chapters
    assert ("real" in tried) == what.verified


def test_no_other_set_is_described() -> None:
    sections = {line.removeprefix("## ") for line in README.splitlines() if line.startswith("## ")}
    assert sections == {*DATA_SETS, "Face models"}
