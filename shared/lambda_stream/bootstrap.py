"""Starts a Lambda environment: `python -m shared.lambda_stream.bootstrap <module.handler>`.

Stands in for awslambdaric's own entry point, which it follows step by step; it must do nothing
that the managed runtime would not do.
"""

import sys
from collections.abc import Sequence

from awslambdaric import bootstrap  # type: ignore[import-untyped] # ships no types
from awslambdaric.lambda_config import (  # type: ignore[import-untyped] # ships no types
    LambdaConfigProvider,
)

from shared.lambda_stream.runtime import StreamingRuntimeClient


def main(arguments: Sequence[str]) -> None:
    """Serve invocations until the platform ends the environment.

    ``arguments`` are the program's, the handler's dotted name second.
    """
    config = LambdaConfigProvider(arguments)
    client = StreamingRuntimeClient(config.api_address, config.use_thread_polling)
    bootstrap.run(config.handler, client)


if __name__ == "__main__":
    main(sys.argv)
