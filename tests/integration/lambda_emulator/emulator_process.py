"""A process with an emulator: tells a frozen and a working environment's ids, then waits."""

import asyncio
import sys
from pathlib import Path

from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import FunctionSpec
from tests.support.lambda_emulation import FUNCTIONS
from tests.support.pipes import Pipes


async def main(folder: Path) -> None:
    """Run until killed."""
    async with Emulator(log_folder=folder) as emulator, Pipes(folder) as pipes:
        for name in ("echo", "waiting"):
            spec = FunctionSpec(name=name, handler=f"{FUNCTIONS}.plain.{name}", has_url=False)
            await emulator.start(spec)
        frozen = (await emulator.invoke("echo", {}))["pid"]
        await emulator.settled("echo")
        call = asyncio.create_task(emulator.invoke("waiting", {"pipes": str(folder)}))
        sys.stdout.write(f"{frozen} {await pipes.started()}\n")
        sys.stdout.flush()
        await call


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
