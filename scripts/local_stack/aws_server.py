"""The parts of AWS that the stack needs, played by moto in a process of its own.

Its one KMS key is kept in a file, so that what was sealed before a restart opens after it. It
must never listen on anything but loopback.
"""

import argparse
import base64
import json
import os
import signal
from pathlib import Path
from typing import Final

from moto.kms.models import Key, kms_backends
from moto.server import ThreadedMotoServer

from scripts.local_stack.options import REGION

# moto's account for made-up credentials.
_ACCOUNT: Final = "123456789012"
_HOST: Final = "127.0.0.1"


def put_key_in_place(key_file: Path) -> str:
    """Put the kept key into moto's KMS, making one at the first start; its id."""
    backend = kms_backends[_ACCOUNT][REGION]
    key = backend.create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "local stack", None)
    if key_file.exists():
        del backend.keys[key.id]
        kept = json.loads(key_file.read_text())
        key.id = kept["key_id"]
        key.arn = f"{key.arn.rsplit('/', 1)[0]}/{key.id}"
        key.key_material = base64.b64decode(kept["key_material"])
    else:
        _keep(key, key_file)
    backend.keys[key.id] = key
    return key.id


def _keep(key: Key, key_file: Path) -> None:
    """Write the key durably before anything is sealed under it, readable by its owner only."""
    text = json.dumps(
        {"key_id": key.id, "key_material": base64.b64encode(key.key_material).decode()}
    )
    unfinished = key_file.with_suffix(".new")
    unfinished.touch(mode=0o600)
    with unfinished.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(key_file)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.local_stack.aws_server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key-file", type=Path, required=True)
    options = parser.parse_args()
    put_key_in_place(options.key_file)
    ThreadedMotoServer(ip_address=_HOST, port=options.port, verbose=False).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
