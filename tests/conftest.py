"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long one example takes says more about the machine than about the code.
settings.register_profile("facelab", deadline=None)
settings.load_profile("facelab")


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


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for rendered faces, empty at first, that the tests of a module share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces are rendered into that folder."""
    monkeypatch.setenv("FACELAB_CACHE", str(cache))
