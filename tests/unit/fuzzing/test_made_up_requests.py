import time
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import strategies as st

from scripts.fuzzing import json_rpc, oauth_forms
from scripts.fuzzing.by_hypothesis import send_batch
from scripts.fuzzing.exchange import Answer, Door, Request
from scripts.fuzzing.oauth_api import UndescribedEndpointError, openapi_of
from scripts.fuzzing.tally import Tally

KNOWN = dict.fromkeys(
    (
        "client_id",
        "redirect_uri",
        "resource",
        "code",
        "refresh_token",
        "sign_in",
        "consent",
        "browser",
    ),
    "x",
)


class Notebook(Door):
    """A door that leads nowhere."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    def send(self, request: Request) -> Answer:
        self.seen.append(request)
        return Answer(status=200, headers={}, body=b"", seconds=0.0, is_head=False)


def made_up(strategy: st.SearchStrategy[Request], number: int) -> list[Request]:
    book = Notebook()
    ends_at = time.monotonic() + 600
    send_batch(strategy, number, book, tally=Tally("part"), ends_at=ends_at, requests_max=6)
    return book.seen


@pytest.mark.parametrize("strategy", [json_rpc.requests("token"), oauth_forms.requests(KNOWN)])
def test_one_seed_makes_up_one_sequence_of_requests(strategy: st.SearchStrategy[Request]) -> None:
    first, again, other = (made_up(strategy, number) for number in (1, 1, 2))

    assert first == again
    assert first != other


def test_a_batch_ends_with_its_time() -> None:
    book, tally = Notebook(), Tally("part")

    send_batch(json_rpc.requests("token"), 1, book, tally=tally, ends_at=time.monotonic() - 1)

    assert not book.seen
    assert not tally.findings


def test_an_endpoint_that_nobody_described_is_noticed() -> None:
    app = FastAPI()

    @app.get("/new")
    def new() -> dict[str, Any]:
        return {}

    with pytest.raises(UndescribedEndpointError, match="GET /new"):
        openapi_of(app, KNOWN)
