"""The emulator with the functions that tests run in it."""

from pathlib import Path
from typing import Any

from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import FunctionSpec

FUNCTIONS = "tests.support.lambda_functions"


async def start(emulator: Emulator, handler: str, **fields: Any) -> str:
    """Start the function `module.name` of the test functions under the name `function`."""
    spec = FunctionSpec(name="function", handler=f"{FUNCTIONS}.{handler}", **fields)
    return await emulator.start(spec)


def logged(emulator: Emulator, name: str = "function") -> str:
    """What the function has written so far."""
    return Path(emulator.log_file(name)).read_text()
