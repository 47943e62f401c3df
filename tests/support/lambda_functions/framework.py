"""FastAPI behind Mangum, on the persistent event loop."""

import asyncio
from typing import Any

from fastapi import FastAPI
from mangum import Mangum

from shared.lambda_stream import event_loop

application = FastAPI()


@application.get("/loop")
async def describe_loop() -> dict[str, Any]:
    """Say on which loop we run, and leave a task behind."""
    loop = asyncio.get_running_loop()
    names = sorted(task.get_name() for task in asyncio.all_tasks())
    left = loop.create_task(asyncio.sleep(3600), name="left")
    return {
        "persistent": loop is event_loop.current(),
        "loop": id(loop),
        "left": left.get_name(),
        "tasks": names,
    }


@event_loop.on_event_loop
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Serve the application."""
    return Mangum(application, lifespan="off")(event, context)
