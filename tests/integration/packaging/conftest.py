import pytest

from scripts.artifacts.build import Artifacts, current_artifacts
from scripts.artifacts.managed_runtime import NoPythonError


@pytest.fixture(scope="session")
def artifacts() -> Artifacts:
    """The artifacts of the sources in the tree; built when they are stale."""
    try:
        return current_artifacts()
    except NoPythonError as error:
        pytest.skip(f"NOT RUN: {error}")
