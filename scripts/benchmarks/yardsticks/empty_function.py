"""A function that does nothing: what is measured of it belongs to runtime, emulator and network.

Runs in an artifact of its own; it must import nothing.
"""


def handler(_event: object, _context: object) -> dict[str, object]:
    """Answer any Function URL event."""
    headers = {"content-type": "application/json"}
    return {"statusCode": 200, "headers": headers, "body": '{"jsonrpc":"2.0","id":1,"result":{}}'}
