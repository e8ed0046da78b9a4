"""Files that the tests of several readers write."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Points = np.ndarray


@pytest.fixture(scope="session")
def points68() -> Points:
    """68 points ``(68, 2)`` as a file holds them, within a picture of 120 x 100."""
    return np.random.default_rng(0).uniform(10, 90, (68, 2)).round(3)


@pytest.fixture(scope="session")
def write_picture() -> Callable[[Path], None]:
    """Writes a picture of 120 x 100 pixels, with the folders above it."""

    def write(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(1).integers(0, 255, (100, 120, 3), np.uint8)
        Image.fromarray(pixels).save(path)

    return write


@pytest.fixture(scope="session")
def write_pts() -> Callable[[Path, Points], None]:
    """Writes a ``.pts`` file, with the folders above it."""

    def write(path: Path, points: Points) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{x} {y}\n" for x, y in points)
        path.write_text(f"version: 1\nn_points:  {len(points)}\n{{\n{rows}}}\n")

    return write
