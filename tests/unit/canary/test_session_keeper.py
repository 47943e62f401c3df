"""The canary stays signed in: it refreshes ahead of time, keeps first, and loses nothing."""

from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from functions.canary.session_keeper import REFRESH_AHEAD_SECONDS, SessionKeeper
from shared.checks.canary_session import CanarySession, SecretsUnavailableError
from shared.checks.catalogue import CheckFailedError
from shared.checks.doors import Answered
from tests.support.scripted_doors import ScriptedDoors, answered

NOW = 1_000_000.0
TOKENS = {"access_token": "at-2", "refresh_token": "rt-2", "expires_in": 28_800}
SESSION = CanarySession(
    client_id="client",
    redirect_uri="http://127.0.0.1:1/cb",
    access_token=SecretStr("at-1"),
    access_ends_at=NOW + 600,
    refresh_token=SecretStr("rt-1"),
)


class Store:
    """Keeps in memory; says it cannot once ``away``."""

    def __init__(self) -> None:
        self.kept: list[CanarySession] = []
        self.away = False

    async def load(self) -> CanarySession:
        return self.kept[-1]

    async def keep(self, session: CanarySession) -> None:
        if self.away:
            raise SecretsUnavailableError
        self.kept.append(session)


def keeper(answer: Answered, store: Store) -> tuple[SessionKeeper, ScriptedDoors]:
    doors = ScriptedDoors(lambda _question: answer)
    mcp_url = "https://mcp.example/mcp"
    return SessionKeeper(store=store, doors=doors, mcp_url=mcp_url, now=lambda: NOW), doors


@pytest.mark.parametrize(
    ("seconds_left", "due"),
    [(REFRESH_AHEAD_SECONDS + 1, False), (REFRESH_AHEAD_SECONDS - 1, True), (-1.0, True)],
)
def test_it_is_due_an_hour_ahead(seconds_left: float, due: bool) -> None:  # noqa: FBT001 - a case
    session = SESSION.model_copy(update={"access_ends_at": NOW + seconds_left})

    assert keeper(answered(200, TOKENS), Store())[0].is_due(session) is due


async def test_the_next_session_is_kept_before_it_is_used() -> None:
    store = Store()
    keeping, doors = keeper(answered(200, TOKENS), store)

    following = await keeping.refresh(SESSION)

    assert store.kept == [following]
    assert following.access_token.get_secret_value() == "at-2"
    assert following.access_ends_at == NOW + 28_800
    assert parse_qs(doors.asked[0].body) == {
        "grant_type": ["refresh_token"],
        "client_id": ["client"],
        "refresh_token": ["rt-1"],
        "resource": ["https://mcp.example/mcp"],
    }


async def test_a_session_that_cannot_be_kept_is_not_used() -> None:
    store = Store()
    store.away = True

    with pytest.raises(SecretsUnavailableError):
        await keeper(answered(200, TOKENS), store)[0].refresh(SESSION)


async def test_a_former_token_is_tried_only_after_its_end() -> None:
    following = await keeper(answered(200, TOKENS), Store())[0].refresh(SESSION)

    assert following.account(NOW).former_access_token is None
    assert following.account(SESSION.access_ends_at).former_access_token is None
    assert following.account(SESSION.access_ends_at + 3_600).former_access_token == "at-1"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (answered(400, {"error": "invalid_grant"}), "the session is over"),
        (answered(503, {"error": "temporarily_unavailable"}), "does not answer with tokens"),
        (answered(200, b"<html>"), "does not answer with tokens"),
        (answered(200, {**TOKENS, "expires_in": "3600"}), "answers without the tokens"),
        (answered(200, {"access_token": "at-2"}), "answers without the tokens"),
    ],
)
async def test_an_answer_without_tokens_changes_nothing(answer: Answered, told: str) -> None:
    store = Store()

    with pytest.raises(CheckFailedError, match=told):
        await keeper(answer, store)[0].refresh(SESSION)

    assert store.kept == []


def test_a_session_survives_its_secret_and_is_never_shown() -> None:
    text = SESSION.to_json()

    assert CanarySession.model_validate_json(text) == SESSION
    shown: Any = repr(SESSION)
    assert "at-1" not in shown
    assert "rt-1" not in shown
