"""The challenge header at the edge."""

from functions.edge_challenge.handler import EdgeHeader, EdgeResponse, handler

CHALLENGE = 'Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource"'


def answer(headers: dict[str, list[EdgeHeader]]) -> EdgeResponse:
    response: EdgeResponse = {"status": "401", "headers": headers}
    return handler({"Records": [{"cf": {"response": response}}]}, None)


def line(key: str, value: str = CHALLENGE) -> list[EdgeHeader]:
    return [{"key": key, "value": value}]


def test_the_copy_becomes_the_one_challenge() -> None:
    answered = answer(
        {
            "x-mcp-challenge": line("X-Mcp-Challenge"),
            "x-amzn-remapped-www-authenticate": line("x-amzn-Remapped-WWW-Authenticate"),
        }
    )

    assert answered["headers"]["www-authenticate"] == line("WWW-Authenticate")
    assert "x-amzn-remapped-www-authenticate" not in answered["headers"]


def test_a_renamed_header_alone_is_restored() -> None:
    answered = answer({"x-amzn-remapped-www-authenticate": line("x")})

    assert answered["headers"]["www-authenticate"] == line("WWW-Authenticate")


def test_an_answer_without_a_challenge_passes_unchanged() -> None:
    headers: dict[str, list[EdgeHeader]] = {"content-type": line("Content-Type", "text/html")}

    assert answer(dict(headers)) == {"status": "401", "headers": headers}
