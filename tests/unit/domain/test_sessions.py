"""The rotation rule of refresh tokens."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.identifiers import ClientId, GrantId, SessionId
from shared.domain.sessions import (
    GRACE_SECONDS,
    REPLAY_SECONDS_MAX,
    RefreshTokenState,
    RotationDecision,
    Session,
    decide_rotation,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def session(*, ended_at: datetime | None = None) -> Session:
    return Session(
        session_id=SessionId(UUID(int=1)),
        grant_id=GrantId(UUID(int=2)),
        client_id=ClientId("client"),
        resource="https://mcp.example/mcp",
        scopes=("tutorial:read",),
        absolute_expires_at=after(1_000_000),
        ended_at=ended_at,
    )


def state(
    *, used_at: datetime | None = None, successor_used_at: datetime | None = None
) -> RefreshTokenState:
    return RefreshTokenState(
        expires_at=after(100_000), used_at=used_at, successor_used_at=successor_used_at
    )


def test_a_fresh_token_rotates() -> None:
    assert decide_rotation(session(), state(), now=after(10)) is RotationDecision.ROTATE


def test_an_expired_token_is_refused_without_ending_anything() -> None:
    assert decide_rotation(session(), state(), now=after(100_000)) is RotationDecision.REFUSE


def test_an_ended_session_refuses_every_token() -> None:
    decision = decide_rotation(session(ended_at=after(1)), state(), now=after(2))

    assert decision is RotationDecision.REFUSE


def test_a_used_token_an_hour_later_yields_its_unused_successor_again() -> None:
    decision = decide_rotation(session(), state(used_at=START), now=after(3_600))

    assert decision is RotationDecision.REPLAY


def test_the_lost_answer_rule_ends_after_a_day() -> None:
    decision = decide_rotation(session(), state(used_at=START), now=after(REPLAY_SECONDS_MAX))

    assert decision is RotationDecision.REFUSE


def test_within_the_grace_window_after_the_successor_s_use_the_answer_is_repeated() -> None:
    used = state(used_at=START, successor_used_at=after(5))

    assert decide_rotation(session(), used, now=after(5 + GRACE_SECONDS - 1)) is (
        RotationDecision.REPLAY
    )


def test_reuse_after_the_grace_window_ends_the_family() -> None:
    used = state(used_at=START, successor_used_at=after(5))

    assert decide_rotation(session(), used, now=after(5 + GRACE_SECONDS)) is (
        RotationDecision.END_FAMILY
    )


@given(st.integers(min_value=0, max_value=2_000_000))
def test_nothing_rotates_beyond_the_session_s_absolute_life(seconds: int) -> None:
    decision = decide_rotation(session(), state(), now=after(seconds))

    assert (decision is RotationDecision.ROTATE) == (seconds < 100_000)
