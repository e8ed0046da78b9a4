"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real photographs and their labels, named by FACELAB_DATA; skips where there is none."""
    named = os.environ.get("FACELAB_DATA")
    if not named:
        pytest.skip("FACELAB_DATA does not name a folder with real face data")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"FACELAB_DATA is '{named}', which is not a folder")
    return folder
