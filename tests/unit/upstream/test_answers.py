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
        ("Mon, 23 Nov 99999999999999999999 04:00:30 GMT", None),
        ("Mon, 23 Nov 2026 04:00:30 +99999999999999999999", None),
        ("Mon, 23 Nov 9999 23:59:59 -2359", RETRY_AFTER_SECONDS_MAX),
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


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b'{"title": "a \\ud83d\\ude00 b"}', "a \U0001f600 b"),
        (b'{"title": "cut \\uD83D"}', "cut \ufffd"),
        (b'{"title": "cut \xed\xa0\xbd"}', "cut \ufffd"),
        (b'{"title": "\\ude00\\ud83d"}', "\ufffd\ufffd"),
        ('{"title": "é \U0001f600"}'.encode(), "é \U0001f600"),
    ],
)
def test_text_that_the_site_cut_inside_a_character_can_still_be_written(
    body: bytes, title: str
) -> None:
    document = Answer(status=200, body=body).document

    assert document == {"title": title}
    assert document["title"].encode()
