"""Functions without any framework; they must import nothing but the standard library."""

import base64
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote


def echo(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer with the event and with what the environment knows."""
    return {
        "event": event,
        "pid": os.getpid(),
        "request_id": context.aws_request_id,
        "milliseconds": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
        "function": context.function_name,
        "log_group": context.log_group_name,
        "variables": dict(os.environ),
    }


def http(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer as the path says."""
    path = event["rawPath"]
    if path == "/fail":
        raise ValueError("broken")
    if path == "/exit":
        os._exit(3)
    if path == "/echo":
        return event
    return _ANSWERS[path](event)


def waiting(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Say that we have started, then wait until the test lets us go on."""
    wait_on_pipes(event.get("pipes") or event["rawQueryString"].removeprefix("pipes="))
    return {"statusCode": 200, "body": str(os.getpid())}


def forever(_event: dict[str, Any], _context: object) -> None:
    """Never answer."""
    time.sleep(3600)


def wait_on_pipes(folder: str) -> None:
    """Write our process id into one pipe, and read from the other."""
    folder = unquote(folder)
    Path(folder, "started").write_text(f"{os.getpid()}\n")
    with Path(folder, "go_on").open("rb", buffering=0) as go_on:
        go_on.read(1)


def _pid(_event: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": 200, "body": str(os.getpid())}


def _large(_event: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": 200, "body": "x" * (7 * 1024 * 1024)}


def _cookies(_event: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": 200, "cookies": ["a=1; Secure", "b=2"], "body": ""}


def _challenge(_event: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": 401, "headers": {"WWW-Authenticate": "Bearer"}, "body": ""}


def _reversed(event: dict[str, Any]) -> dict[str, Any]:
    body = base64.b64decode(event["body"])[::-1]
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/octet-stream"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


_ANSWERS = {
    "/": _pid,
    "/large": _large,
    "/cookies": _cookies,
    "/challenge": _challenge,
    "/binary": _reversed,
}
