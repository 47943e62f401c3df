import base64

import httpx
import pytest

from scripts.lambda_emulator.emulator import Emulator
from tests.support.lambda_emulation import start


async def test_a_request_arrives_in_payload_format_2(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "plain.http")

    response = await client.post(
        f"{url}/echo?a=1&a=2%20",
        headers=[("X-Two", "1"), ("X-Two", "2"), ("Cookie", "c=1; d=2"), ("user-agent", "test")],
        json={"k": 1},
    )

    event = response.json()
    assert event["version"] == "2.0"
    assert event["rawPath"] == "/echo"
    assert event["rawQueryString"] == "a=1&a=2%20"
    assert event["headers"]["x-two"] == "1,2"
    assert event["cookies"] == ["c=1", "d=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["host"] == url.removeprefix("http://")
    assert event["body"] == '{"k":1}'
    assert event["isBase64Encoded"] is False
    http = event["requestContext"]["http"]
    assert (http["method"], http["path"], http["sourceIp"]) == ("POST", "/echo", "127.0.0.1")
    assert http["userAgent"] == "test"


@pytest.mark.parametrize("content_type", ["application/octet-stream", "application/json"])
async def test_a_body_that_is_not_text_arrives_as_base64(
    emulator: Emulator, client: httpx.AsyncClient, content_type: str
) -> None:
    url = await start(emulator, "plain.http")
    body = bytes(range(256))

    response = await client.post(
        f"{url}/echo", content=body, headers={"content-type": content_type}
    )

    assert response.json()["isBase64Encoded"] is True
    assert base64.b64decode(response.json()["body"]) == body


async def test_bytes_go_both_ways(emulator: Emulator, client: httpx.AsyncClient) -> None:
    url = await start(emulator, "plain.http")

    response = await client.post(f"{url}/binary", content=bytes(range(256)))

    assert response.content == bytes(range(256))[::-1]
    assert response.headers["content-type"] == "application/octet-stream"


async def test_a_value_without_a_status_is_a_json_answer(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "plain.http")

    response = await client.get(f"{url}/echo")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"


async def test_each_cookie_gets_a_header_of_its_own(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "plain.http")

    response = await client.get(f"{url}/cookies")

    assert response.headers.get_list("set-cookie") == ["a=1; Secure", "b=2"]


@pytest.mark.parametrize("renames", [True, False])
async def test_the_challenge_header_is_renamed_unless_told_otherwise(
    emulator: Emulator, client: httpx.AsyncClient, *, renames: bool
) -> None:
    url = await start(emulator, "plain.http", renames_challenge_header=renames)

    response = await client.get(f"{url}/challenge")

    assert response.status_code == 401
    assert ("www-authenticate" in response.headers) is not renames
    assert ("x-amzn-remapped-www-authenticate" in response.headers) is renames


async def test_a_failing_function_answers_in_the_platforms_words(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "plain.http")

    response = await client.get(f"{url}/fail")

    assert response.status_code == 502
    assert response.json() == {"message": "Internal Server Error"}


async def test_a_buffered_answer_above_six_megabytes_is_refused(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "plain.http")

    assert (await client.get(f"{url}/large")).status_code == 502
    assert (await client.get(f"{url}/")).status_code == 200


async def test_a_request_above_six_megabytes_is_refused(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "plain.http")

    response = await client.post(f"{url}/echo", content=b"x" * (6 * 1024 * 1024 + 1))

    assert response.status_code == 413
    assert (await client.get(f"{url}/")).status_code == 200


async def test_a_return_value_behind_a_streaming_url_arrives_raw(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "plain.http", invoke_mode="RESPONSE_STREAM")

    response = await client.get(f"{url}/challenge")

    assert response.status_code == 200
    assert response.json()["statusCode"] == 401


async def test_the_answer_to_head_has_no_body(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "plain.http")

    response = await client.head(f"{url}/")

    assert response.status_code == 200
    assert response.content == b""
