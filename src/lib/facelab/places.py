"""Where the book keeps its data."""

import os
from pathlib import Path

CHECKOUT = "FACELAB_BOOK"
_PACKAGE = Path(__file__).resolve().parent
_SIGN = "claims.yml"  # of a folder that is the book's, and not another one called data
# What a wheel holds of the folder: setup.py puts it there.
_SHIPPED = _PACKAGE / "shipped"


def data_folder(to_write: bool = False) -> Path:
    """The folder ``data/`` of the book: published tables, claims, results, trained networks.

    The environment variable FACELAB_BOOK names the checkout; without it, the checkout that the package was imported
    from counts. Where there is none, the part of the folder that comes with an installed package is read.

    Args:
        to_write: whether something is to be written there, which an installed package has no place for.
    Raises:
        FileNotFoundError: there is no such folder.
    """
    named = os.environ.get(CHECKOUT)
    checkout = Path(named) if named else _PACKAGE.parents[2]
    folder = checkout / "data"
    if folder.is_dir() and (named or (folder / _SIGN).is_file()):
        return folder
    if not named and not to_write and (_SHIPPED / _SIGN).is_file():
        return _SHIPPED
    origin = f"{CHECKOUT} names {checkout}" if named else f"the package lies in {_PACKAGE}"
    raise FileNotFoundError(
        f"{folder}: expected the folder of the book's tables, claims and results ({origin}); "
        f"set {CHECKOUT} to a checkout of the book"
    )
