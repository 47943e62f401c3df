"""The built artifacts in a clean interpreter; building them takes half a minute when stale."""

from pathlib import Path

import pytest

from scripts.artifacts import build
from scripts.artifacts.build import LOGICAL_IDS, Artifacts, current_artifacts
from scripts.artifacts.sizes import UNZIPPED_MB_MAX
from scripts.artifacts.smoke import try_artifact

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(600)]


@pytest.mark.parametrize("function", LOGICAL_IDS)
def test_an_artifact_has_all_that_it_imports_and_is_small_enough(
    artifacts: Artifacts, function: str
) -> None:
    found = try_artifact(artifacts, function)

    assert found.problems == []
    assert 20 < found.size_mb <= UNZIPPED_MB_MAX


def test_artifacts_of_unchanged_sources_are_not_built_again(
    artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever edits while the tests run must not make them fail.
    monkeypatch.setattr(build, "source_fingerprint", lambda: artifacts.folder.name)
    code = artifacts.code_of("oauth")
    before = code.stat().st_ino

    again = current_artifacts()

    assert again == artifacts
    assert code.stat().st_ino == before


def _without(artifacts: Artifacts, function: str, missing: str, place: Path) -> Artifacts:
    """The artifact of a function with one package left out."""
    (place / function).mkdir()
    for entry in artifacts.code_of(function).iterdir():
        if entry.name != missing:
            (place / function / entry.name).symlink_to(entry)
    (place / "platform").symlink_to(artifacts.folder / "platform")
    return Artifacts(place)


@pytest.mark.parametrize("missing", ["httpx2", "boto3", "aws_xray_sdk", "sentry_sdk"])
def test_a_package_that_was_not_packed_is_missed(
    artifacts: Artifacts, missing: str, tmp_path: Path
) -> None:
    incomplete = _without(artifacts, "token_refresh", missing, tmp_path)

    problems = "\n".join(try_artifact(incomplete, "token_refresh").problems)

    assert f"No module named '{missing}'" in problems


def test_nothing_but_the_functions_own_code_is_packed(artifacts: Artifacts) -> None:
    for function in LOGICAL_IDS:
        code = artifacts.code_of(function)
        packages = {folder.name for folder in (code / "functions").iterdir() if folder.is_dir()}
        assert packages - {"__pycache__"} == {function}
        for name in ("tests", "scripts", "docs", "events", "bin", "pytest", "moto", "uvloop"):
            assert not (code / name).exists()
