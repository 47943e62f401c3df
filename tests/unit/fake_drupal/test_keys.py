import stat
from pathlib import Path

import pytest

from scripts.fake_drupal.keys import OpaqueTokenError, SiteKeys


def test_a_sealed_token_opens_as_its_own_kind_only() -> None:
    keys = SiteKeys(None)
    token = keys.seal("code", "key-1")

    assert token.startswith("def50200")
    assert 700 < len(token) < 1000
    assert keys.open("code", token) == "key-1"
    with pytest.raises(OpaqueTokenError):
        keys.open("refresh_token", token)


@pytest.mark.parametrize("token", ["", "garbage", "def50200", "def50200zz", "def50200" + "00" * 40])
def test_anything_else_does_not_open(token: str) -> None:
    with pytest.raises(OpaqueTokenError):
        SiteKeys(None).open("code", token)


def test_keys_in_a_folder_outlive_the_process_and_are_private(tmp_path: Path) -> None:
    first = SiteKeys(tmp_path)
    second = SiteKeys(tmp_path)

    assert second.open("code", first.seal("code", "key-1")) == "key-1"
    assert second.public_jwk() == first.public_jwk()
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
