"""The events with what is expected: ``events/FUNCTION/CASE.json`` and ``CASE.expected.json``.

An event is what `sam local invoke -e` takes, as it is; nothing about tests may get into it.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

EVENTS: Final = Path(__file__).resolve().parents[2] / "events"
_PLACEHOLDER: Final = re.compile(r"\$\{([A-Z_]+)\}")
PLACEHOLDERS: Final = frozenset(
    {"ACCESS_TOKEN", "REFRESH_TOKEN", "CLIENT_ID", "REDIRECT_URI", "ISSUER_URL", "MCP_URL"}
)
"""What an event or an expectation may leave open as ``${NAME}``; a sign-in fills it."""


@dataclass(frozen=True)
class Case:
    """One event and what is expected of the answer."""

    function: str
    name: str
    event: dict[str, Any]
    expected: dict[str, Any]

    def filled(self, values: Mapping[str, str]) -> "Case":
        """The case with its placeholders replaced, inside base64 bodies, too."""
        event = dict(fill(self.event, values))
        if event.get("isBase64Encoded"):
            body = base64.b64decode(event["body"])
            for name, value in values.items():
                body = body.replace(f"${{{name}}}".encode(), value.encode())
            event["body"] = base64.b64encode(body).decode()
        return Case(self.function, self.name, event, fill(self.expected, values))


def load(wanted: str = "") -> list[Case]:
    """Every case whose ``function/name`` contains ``wanted``, in a fixed order."""
    cases = []
    for file in sorted(EVENTS.glob("*/*.json")):
        name = f"{file.parent.name}/{file.stem}"
        if file.name.endswith(".expected.json") or wanted not in name:
            continue
        expected = json.loads(file.with_suffix(".expected.json").read_text())
        cases.append(Case(file.parent.name, file.stem, json.loads(file.read_text()), expected))
    return cases


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """``value`` with placeholders replaced in every string.

    Raises:
        KeyError: a placeholder has no value.
    """
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: values[found.group(1)], value)
    if isinstance(value, dict):
        return {name: fill(item, values) for name, item in value.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    return value


def placeholders_in(text: str) -> set[str]:
    """The names of the placeholders in ``text``."""
    return set(_PLACEHOLDER.findall(text))
