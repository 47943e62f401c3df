from datetime import UTC, datetime

import pytest

from shared.upstream.answers import RETRY_AFTER_SECONDS_MAX, Answer

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 1),
        ("999999999999999999999", RETRY_AFTER_SECONDS_MAX),
        ("Mon, 23 Nov 2026 04:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 04:00:30 -0000", 30),
        ("Mon, 23 Nov 2026 03:00:00 GMT", 1),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
    ],
)
def test_retry_after_is_read_in_both_of_its_forms(text: str, seconds: int | None) -> None:
    assert Answer(status=429, retry_after=text).retry_after_seconds(NOW) == seconds


def test_a_challenge_with_unescaped_quotes_is_read_all_the_same() -> None:
    answer = Answer(
        status=401,
        challenge='Bearer realm="OAuth", error="access_denied", '
        'error_description="<em class="placeholder">bob</em> is blocked"',
    )

    assert answer.challenge_scheme == "bearer"
    assert answer.challenge_error == "access_denied"
    assert answer.challenge_scopes == ()


def test_an_absent_challenge_is_empty() -> None:
    assert Answer(status=401).challenge_scheme == ""
    assert Answer(status=401).challenge_error == ""


def test_an_answer_does_not_show_what_it_holds() -> None:
    shown = repr(Answer(status=200, challenge="Bearer SECRET", body=b"SECRET"))

    assert "SECRET" not in shown
