import base64
import json

import pytest
from pydantic import ValidationError

from shared.upstream.wire import AccessTokenClaims, TokenAnswer, unverified_claims


def jwt_of(payload: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{body}.c2ln"


def test_claims_are_read_with_a_float_expiry_and_an_array_of_scopes() -> None:
    claims = unverified_claims(
        jwt_of({"sub": "2", "jti": "ab", "exp": 980.931504, "scope": ["a:b", "member"]})
    )

    assert claims.sub == "2"
    assert claims.jti == "ab"
    assert claims.exp == 980.931504
    assert claims.scope == ("a:b", "member")


@pytest.mark.parametrize(
    ("scope", "expected"),
    [({"0": "a", "14": "email"}, ("a", "email")), ("a b", ("a", "b")), (7, ("7",)), (None, ())],
)
def test_scopes_come_as_object_string_or_nonsense(scope: object, expected: tuple[str, ...]) -> None:
    assert unverified_claims(jwt_of({"scope": scope})).scope == expected


@pytest.mark.parametrize("sub", [{"sub": 2}, {"sub": " 2 "}, {"sub": "2", "exp": "soon"}])
def test_a_subject_is_text_whatever_it_came_as(sub: object) -> None:
    assert unverified_claims(jwt_of(sub)).sub == "2"


@pytest.mark.parametrize("sub", [{}, {"sub": ""}, {"sub": None}, {"sub": ["2"]}, {"sub": True}])
def test_a_subject_that_says_nothing_is_absent(sub: object) -> None:
    assert unverified_claims(jwt_of(sub)).sub is None


@pytest.mark.parametrize(
    "token", ["", "opaque", "a.b", "a.b.c.d", "a.!!!.c", "a.bm8.c", "a.W10.c", "a.é.c"]
)
def test_what_is_no_jwt_has_no_claims(token: str) -> None:
    assert unverified_claims(token) == AccessTokenClaims()


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "with space"},
        {"access_token": "line\r\nbreak"},
        {"access_token": "ü"},
        {"access_token": "x" * 20_000},
        {"access_token": "ok", "refresh_token": "not\nok"},
    ],
)
def test_a_token_that_cannot_go_into_a_header_is_refused(members: object) -> None:
    with pytest.raises(ValidationError) as caught:
        TokenAnswer.model_validate(members)

    assert "with space" not in str(caught.value)


def test_a_token_answer_shows_no_token() -> None:
    answer = TokenAnswer.model_validate({"access_token": "AAA", "refresh_token": "RRR"})

    assert "AAA" not in repr(answer)
    assert "RRR" not in repr(answer)
