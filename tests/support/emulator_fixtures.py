"""The emulator, a client of it, and pipes to the functions it runs, as fixtures."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from scripts.lambda_emulator.emulator import Emulator
from tests.support.pipes import Pipes

ANSWER_SECONDS_MAX = 60.0


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[Emulator]:
    async with Emulator(log_folder=tmp_path / "logs") as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX) as connected:
        yield connected


@pytest.fixture
async def pipes(tmp_path: Path) -> AsyncIterator[Pipes]:
    async with Pipes(tmp_path) as opened:
        yield opened
