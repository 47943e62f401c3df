"""The demo is a promise of the README: it ends well against both generations of Drupal's OAuth."""

import pytest

from scripts.local_stack import demo
from scripts.local_stack.options import Dialect


@pytest.mark.parametrize("dialect", ["5", "6"])
async def test_the_demo_signs_in_searches_reads_and_shows_no_secret(dialect: Dialect) -> None:
    told: list[str] = []

    await demo.run(dialect, tell=told.append)

    transcript = "\n".join(told)
    assert "search_tutorials" in transcript
    assert "nobody had to sign in again" in transcript
    assert told[-1].strip().startswith("Done in")
    for secret in ("code=", "state=", "Bearer", "maya-demo"):
        assert secret not in transcript
