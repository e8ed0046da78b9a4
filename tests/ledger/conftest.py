"""A small book with claims and results of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from facelab.ledger import Quantity, save_result
from facelab.places import data_folder

MEASURED: dict[str, Any] = {
    "id": "fan-poses",
    "paper": "fan",
    "place": "table 1",
    "claim": "Poses cost little.",
    "printed": [{"value": "4.50", "unit": "%", "what": "NME"}],
    "measured": "One error over another.",
    "experiment": "fan-pose",
    "quantity": "profile over frontal",
    "unit": "ratio",
    "predicate": {"at_least": 0.9},
    "tolerance": 0.02,
    "because": "A tenth is little.",
}


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the book's published tables and nothing else; returns its ``data/``."""
    published = data_folder() / "published"
    folder = tmp_path / "book" / "data"
    folder.mkdir(parents=True)
    (folder / "published").symlink_to(published)
    monkeypatch.setenv("FACELAB_BOOK", str(folder.parent))
    return folder


@pytest.fixture
def write_claims(book: Path) -> Callable[..., Path]:
    """Writes ``claims.yml``: each argument changes keys of one measured claim; a key that is None is left out."""

    def write(*changes: dict[str, Any]) -> Path:
        merged = [{**MEASURED, **change} for change in changes]
        whole = [{key: value for key, value in claim.items() if value is not None} for claim in merged]
        path = book / "claims.yml"
        path.write_text(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True))
        return path

    return write


@pytest.fixture
def save(book: Path) -> Callable[..., Path]:
    """Saves a result of the experiment that the claims of ``write_claims`` name, one quantity for each argument."""

    def run(values: list[float], **others: list[float] | float) -> Path:
        numbers = {"profile over frontal": values, **others}
        quantities = {
            name: Quantity("a ratio", "ratio", **({"values": n} if isinstance(n, list) else {"value": n}))
            for name, n in numbers.items()
        }
        return save_result(
            "fan-pose", "cpu", quantities, seeds=range(len(values)), seconds=1.0, command="make reference"
        )

    return run
