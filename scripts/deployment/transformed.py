"""The template after the SAM transform: `python -m scripts.deployment.transformed [FILE]`.

It must show the very resources that a deployment would create, so it adds and drops nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from scripts.deployment import sam_cli

PROJECT: Final = Path(__file__).resolve().parents[2]
TEMPLATE: Final = PROJECT / "template.yaml"


def transformed(template: Path = TEMPLATE) -> dict[str, Any]:
    """The transformed template.

    Raises:
        NoSamCliError: the SAM CLI, whose code does it, cannot be had.
        subprocess.CalledProcessError: the template is not valid.
    """
    program = Path(__file__).with_name("sam_transform.py")
    return dict(json.loads(sam_cli.output_of("python", program, template)))


def main() -> int:
    """Write it to a file, or to standard output; the exit status."""
    try:
        text = json.dumps(transformed(), indent=1) + "\n"
    except sam_cli.NoSamCliError as error:
        print(f"NOT RUN: transform of the template ({error})", file=sys.stderr)
        return 1
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
