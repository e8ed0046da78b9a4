"""Models and faces for the losses of the 62 parameters."""

import pytest

from tests.losses.random_faces import MODELS, Faces, few_modes


@pytest.fixture(scope="session", params=MODELS)
def faces(request: pytest.FixtureRequest) -> Faces:
    """Of each model in turn."""
    return Faces(MODELS[request.param]())


@pytest.fixture(scope="session")
def small() -> Faces:
    """Few modes and vertices."""
    return Faces(few_modes())
