"""A small Lambda: environments behind a Runtime API, and Function URLs in front.

    emulator = Emulator(log_folder=Path(".dev/logs"))
    spec = FunctionSpec(name="oauth", handler="functions.oauth.handler.handler", port=8001)
    url = await emulator.start(spec)
    result = await emulator.invoke("cleanup", {"source": "aws.events"})  # or FunctionError
    await emulator.stop()  # or: async with Emulator(...) as emulator

Import from ``scripts.lambda_emulator.emulator`` and ``.specification``.
"""
