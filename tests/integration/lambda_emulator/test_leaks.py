import asyncio
import sys
from pathlib import Path

from tests.support.processes import has_ended

START_SECONDS_MAX = 60.0


async def test_environments_die_with_an_emulator_that_is_killed(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.lambda_emulator.emulator_process",
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS_MAX)
        frozen, working = (int(word) for word in line.split())
    finally:
        process.kill()
        await process.wait()

    assert await has_ended(frozen)
    assert await has_ended(working)
