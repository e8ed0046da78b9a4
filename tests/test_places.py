"""The book's data: of the checkout that is named, of that which the package lies in, or what came with the package."""

from pathlib import Path

import pytest

from facelab import places
from facelab.ledger import Quantity, save_result
from facelab.places import data_folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as a wheel puts it, with the data that come along."""
    package = tmp_path / "lib" / "python" / "site-packages" / "facelab"
    (package / "shipped").mkdir(parents=True)
    (package / "shipped" / "claims.yml").touch()
    monkeypatch.delenv("FACELAB_BOOK", raising=False)
    monkeypatch.setattr(places, "_PACKAGE", package)
    monkeypatch.setattr(places, "_SHIPPED", package / "shipped")
    return package


def _book(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "claims.yml").touch()
    return folder / "data"


def test_this_checkout_is_found_without_being_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACELAB_BOOK", raising=False)
    here = Path(__file__).resolve().parents[1] / "data"
    assert data_folder() == data_folder(to_write=True) == here


def test_without_a_checkout_what_came_with_the_package_is_read(installed: Path) -> None:
    assert data_folder() == installed / "shipped"


def test_a_folder_of_that_name_that_is_not_the_books_is_not_taken(installed: Path) -> None:
    (installed.parents[2] / "data").mkdir()
    assert data_folder() == installed / "shipped"


def test_a_checkout_comes_first_and_a_named_one_before_it(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = _book(installed.parents[2])
    assert data_folder() == data_folder(to_write=True) == around
    named = _book(tmp_path / "named")
    monkeypatch.setenv("FACELAB_BOOK", str(named.parent))
    assert data_folder() == data_folder(to_write=True) == named


def test_nothing_is_written_into_an_installed_package(installed: Path) -> None:
    with pytest.raises(FileNotFoundError, match="set FACELAB_BOOK to a checkout of the book"):
        data_folder(to_write=True)
    exact = {"x": Quantity("a number", "ratio", value=1.0)}
    with pytest.raises(FileNotFoundError, match="set FACELAB_BOOK"):
        save_result("fan-size", "cpu", exact, seeds=[], seconds=1.0, command="none")
    assert {path.name for path in installed.rglob("*")} == {"shipped", "claims.yml"}


def test_a_named_checkout_without_data_is_an_error(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACELAB_BOOK", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="FACELAB_BOOK names .*nowhere"):
        data_folder()
