"""facelab: the library under *From Heatmaps to Meshes: Face Alignment in Five Papers*."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facelab.predict import Predictor

__version__ = "0.1.0"


def load(name: str) -> "Predictor":
    """The trained network of a method that comes with the book, ready for photographs.

    Args:
        name: ``"two_stage"``, ``"fan"``, ``"anisotropic"``, ``"tddfa"`` or ``"cln"``.
    Raises:
        ValueError: for another name, with the nearest there is. FileNotFoundError: if the book is not at hand.
    """
    from facelab.predict import Predictor  # torch and all else are slow to import, and not always needed

    return Predictor.load(method=name)
