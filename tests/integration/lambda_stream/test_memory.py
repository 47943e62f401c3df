"""A planted leak: caches are emptied, then the environment ends after its answer.

Nobody is refused for it, whether the function streams its answers or the runtime sends them.
"""

import itertools
import json
import sys

import httpx
import pytest

from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import InvokeMode
from tests.support.lambda_emulation import logged, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MEMORY_MB = 256
CALLS = 14
"""Of 32 MB each: more than once what fits."""


async def _pids_and_sizes(
    emulator: Emulator, client: httpx.AsyncClient, path: str, *, invoke_mode: InvokeMode
) -> list[tuple[str, int]]:
    url = await start(
        emulator,
        "leaking.handler",
        invoke_mode=invoke_mode,
        memory_mb=MEMORY_MB,
        environment={"STAGE": "local"},
    )
    seen = []
    for _ in range(CALLS):
        answer = await client.get(f"{url}{path}")
        assert answer.status_code == 200
        body = answer.text if invoke_mode == "BUFFERED" else json.loads(answer.text)["body"]
        pid, size = body.split()
        seen.append((pid, int(size)))
        await emulator.settled("function")
    return seen


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
async def test_an_environment_that_leaks_retires_after_its_answer(
    emulator: Emulator, client: httpx.AsyncClient, invoke_mode: InvokeMode
) -> None:
    seen = await _pids_and_sizes(emulator, client, "/leak", invoke_mode=invoke_mode)

    pids = list(dict.fromkeys(pid for pid, _ in seen))
    assert len(pids) >= 2
    assert all([pid for pid, _ in seen].count(pid) >= 2 for pid in pids[:-1])
    assert '"outcome":"retired"' in logged(emulator).replace(" ", "")


async def test_a_cache_that_grew_is_emptied_and_the_environment_goes_on(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    seen = await _pids_and_sizes(emulator, client, "/cache", invoke_mode="RESPONSE_STREAM")

    sizes = [size for _, size in seen]
    assert len({pid for pid, _ in seen}) == 1
    assert any(later < earlier for earlier, later in itertools.pairwise(sizes))
    assert '"outcome":"relieved"' in logged(emulator).replace(" ", "")
