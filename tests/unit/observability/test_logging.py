import asyncio
import io
import logging as std_logging
import warnings

import pytest

from shared.observability import logging
from shared.observability.logging import log
from shared.observability.request_context import begin_request
from tests.unit.observability import canaries
from tests.unit.observability.conftest import Lines


def _raise(message: str) -> None:
    raise ValueError(message)


def test_a_line_is_one_json_object_with_its_fields_and_correlation_id(lines: Lines) -> None:
    with begin_request(function="f", correlation_id="request-1"):
        log.info("tool called", tool="search_tutorials", results=3)

    (line,) = lines()
    assert line["message"] == "tool called"
    assert line["level"] == "INFO"
    assert line["correlation_id"] == "request-1"
    assert (line["service"], line["stage"], line["release"]) == ("unit", "local", "r1")
    assert (line["tool"], line["results"]) == ("search_tutorials", 3)
    assert line["location"].startswith("test_a_line_is_one_json_object")


@pytest.mark.parametrize("name", canaries.ALL)
def test_no_secret_reaches_a_line_even_at_debug(
    name: str, lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    text, secret = canaries.ALL[name]

    log.debug(f"message {text}", field=text, nested={"list": [{"deep": text.encode()}]})
    log.warning("an exception as a field", error=ValueError(text), text={text})
    try:
        _raise(text)
    except ValueError as error:
        error.add_note(text)
        log.exception("failed")
    std_logging.getLogger("some.library").warning("it says %s and %r", text, {"x": text})
    std_logging.getLogger("other").error({"message": text, text: 1})

    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5
    assert secret not in out
    assert err == ""


def test_an_exception_keeps_its_traceback(lines: Lines) -> None:
    try:
        _raise("the cause")
    except ValueError:
        log.exception("failed", attempt=2)

    (line,) = lines()
    assert line["exception_name"] == "ValueError"
    assert "the cause" in line["exception"]
    assert "_raise" in line["exception"]
    assert line["attempt"] == 2


@pytest.mark.parametrize(
    "name", ["httpx", "httpcore", "authlib", "botocore", "boto3.resources", "mcp.server"]
)
def test_libraries_speak_from_warnings_up_whatever_our_level(name: str, lines: Lines) -> None:
    library = std_logging.getLogger(name)

    library.debug("body")
    library.info("HTTP Request: GET https://a/?code=x")
    library.warning("worth a look")

    (line,) = lines()
    assert line["message"] == "worth a look"
    assert line["correlation_id"] == "none"


def test_the_single_tries_of_a_call_are_not_told(lines: Lines) -> None:
    library = std_logging.getLogger("urllib3.connectionpool")

    library.warning("Retrying")
    library.error("given up")

    (line,) = lines()
    assert line["message"] == "given up"


def test_fields_may_have_any_name(lines: Lines) -> None:
    log.error("odd names", name="n", args=(1,), message_="m", module="x", level="l", exc_info=5)

    (line,) = lines()
    assert line["message"] == "odd names"
    assert line["name_"] == "n"
    assert line["module_"] == "x"


def test_a_value_that_cannot_be_shown_does_not_break_the_line(lines: Lines) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

    log.error("hostile", value=Hostile(), number=float("nan"))

    (line,) = lines()
    assert line["level"] == "ERROR"


async def test_concurrent_tasks_log_under_their_own_correlation_id(lines: Lines) -> None:
    everyone_in = asyncio.Barrier(10)

    async def request(number: int) -> None:
        with begin_request(function="f", correlation_id=f"request-{number}"):
            await everyone_in.wait()
            log.info("seen", number=number)

    async with asyncio.timeout(10):
        await asyncio.gather(*(request(number) for number in range(10)))

    seen = lines()
    assert len(seen) == 10
    assert all(line["correlation_id"] == f"request-{line['number']}" for line in seen)


def test_before_it_is_configured_the_log_is_a_plain_library_logger(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log.use(std_logging.getLogger("drupalize_mcp"))
    with caplog.at_level("INFO"), warnings.catch_warnings():
        log.info("early", step=1)
        log.debug("not heard")

    assert [record.message for record in caplog.records] == ["early"]


def test_a_replaced_standard_output_is_followed(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", elsewhere)
        log.info("over there")
    log.info("over here")

    assert "over there" in elsewhere.getvalue()
    assert [line["message"] for line in lines()] == ["over here"]


@pytest.mark.parametrize(("drawn", "written"), [(0.0099, 1), (0.01, 0)])
def test_the_sampled_share_of_invocations_is_logged_at_debug_and_no_other(
    drawn: float, written: int, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    logging.configure(
        service="unit", level="INFO", stage="local", release="r1", debug_sample_rate=0.01
    )
    for draw in (drawn, 0.5):
        monkeypatch.setattr(logging._random, "random", lambda draw=draw: draw)
        logging.draw_level()
        log.debug("close")

    assert len(lines()) == written
