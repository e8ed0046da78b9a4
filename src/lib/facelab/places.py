"""Where the book keeps its data."""

import os
from pathlib import Path

CHECKOUT = "FACELAB_BOOK"


def data_folder() -> Path:
    """The folder ``data/`` of the book: published tables, claims and results.

    The environment variable FACELAB_BOOK names the checkout; without it, the checkout that the package was imported
    from counts. An installed package comes without the book's data.

    Raises:
        FileNotFoundError: neither has the folder.
    """
    named = os.environ.get(CHECKOUT)
    checkout = Path(named) if named else Path(__file__).resolve().parents[3]
    folder = checkout / "data"
    if not folder.is_dir():
        origin = f"{CHECKOUT} names {checkout}" if named else f"the package lies in {Path(__file__).parent}"
        raise FileNotFoundError(
            f"{folder}: expected the folder of the book's tables, claims and results ({origin}); "
            f"set {CHECKOUT} to a checkout of the book"
        )
    return folder
