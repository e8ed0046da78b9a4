"""The book as one file: what is in it, and that it is whole."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.book.layout import ROOT, BookError, notebooks
from tools.book.offline import NAME, WHEELS, pack


@pytest.fixture(scope="module")
def packed(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(site, tmp_path_factory.mktemp("offline") / "book.zip")


def test_every_page_and_every_notebook_is_in_it(site: Path, packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.namelist()}
        assert archive.testzip() is None
    assert {f"site/{path.relative_to(site)}" for path in site.rglob("*.html")} <= names
    assert {f"notebooks/{page.relative_to('book')}" for page in notebooks()} <= names
    assert {"README.txt", WHEELS, "package/pyproject.toml", "package/setup.py", "package/data/claims.yml"} <= names
    assert not [name for name in names if "__pycache__" in name or ".venv" in name]


def test_the_same_book_is_packed_to_the_same_bytes(site: Path, packed: Path, tmp_path: Path) -> None:
    assert pack(site, tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_wheels_are_those_of_the_requirements(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        wheels = archive.read(f"{NAME}/{WHEELS}").decode().splitlines()
    wanted = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    assert [line for line in wheels if "==" in line] == wanted
    assert all(line and not line.startswith("#") for line in wheels)


def test_the_package_in_it_is_whole(packed: Path, tmp_path: Path) -> None:
    """Its files are those of this checkout, and are imported from there."""
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path)
    package = tmp_path / NAME / "package"
    command = "import facelab.places as p; print(p.__file__); print(p.data_folder())"
    run = subprocess.run(
        [sys.executable, "-c", command],
        env={"PYTHONPATH": str(package / "src" / "lib")},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    where, data = run.stdout.splitlines()
    assert Path(where).is_relative_to(package) and Path(data) == package / "data"


def test_a_folder_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="expected rendered pages with index.html"):
        pack(tmp_path, tmp_path / "book.zip")
    assert not list(tmp_path.iterdir())
