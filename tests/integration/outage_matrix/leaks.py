"""What may be in no answer, no log line and no metric, however broken the part behind it is."""

import re
from typing import Final

from tests.integration.outage_matrix.gates import CANARY
from tests.integration.outage_matrix.world import MatrixWorld

SHAPES: Final = {
    "a signed token": re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\."),
    "a refresh token of the site": re.compile(r"def50200"),
    "a token of ours": re.compile(r"dmcp_[a-z]+_[\w-]{16,}"),
    "SQL": re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM) +(?:\w+\.)?\w+", re.ASCII),
    "a stack trace": re.compile(r"Traceback|File \\?\"|\bline \d+, in\b"),
    "a driver's words": re.compile(r"psycopg|botocore|httpx|httpcore|FATAL|libpq"),
    "a page of the site": re.compile(r"<html>|Gateway|slow down|install\.php"),
}


def found_in_log(world: MatrixWorld, text: str) -> list[str]:
    """What of it stands in log lines or metrics."""
    return [*_held_in(world, text), *(name for name in SHAPES if SHAPES[name].search(text))]


def found_in_answer(world: MatrixWorld, text: str, *, refused: bool) -> list[str]:
    """The same of an answer; one that serves its caller may hold what they asked for."""
    if refused:
        shapes = {name: shape for name, shape in SHAPES.items() if name != "a page of the site"}
        return [
            *_held_in(world, text),
            *(name for name in shapes if shapes[name].search(text)),
        ]
    return [CANARY] if CANARY in text else []


def _held_in(world: MatrixWorld, text: str) -> list[str]:
    held = {
        "a broken part's body": CANARY,
        "the access token": str(world.tokens["access_token"]),
        "the refresh token": str(world.tokens["refresh_token"]),
        "the site's code": world.waiting["code"],
        "the site's state": world.waiting["state"],
        "our secret at the site": world.settings["DRUPAL_CLIENT_SECRET"],
    }
    return [name for name, secret in held.items() if secret in text]
