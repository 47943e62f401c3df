"""The search for leaks finds what it looks for: else an empty find would mean nothing."""

import pytest

from tests.integration.outage_matrix.leaks import SHAPES
from tests.unit.observability.canaries import JWT, TOKENS, UPSTREAM

PLANTED = {
    "a signed token": f'{{"error":"{JWT}"}}',
    "a refresh token of the site": f"refresh_token={UPSTREAM}",
    "a token of ours": f"bearer {TOKENS['access']}",
    "SQL": 'ERROR: relation "x" at SELECT user_id FROM app.users',
    "a stack trace": '"exception":"Traceback (most recent call last)"',
    "a driver's words": "psycopg.OperationalError",
    "a page of the site": "<html>Gateway</html>",
}


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_planted_is_found(name: str) -> None:
    assert SHAPES[name].search(PLANTED[name])
