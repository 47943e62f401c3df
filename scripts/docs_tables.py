"""Writes the parts of the documentation that follow from code: `python -m scripts.docs_tables`.

Each part stands between two markers; what is around them is written by hand and left alone. With
`--check` nothing is written, and the exit status says whether everything is up to date.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic.fields import FieldInfo

from scripts.outages_table import impossible_list, outages_table
from shared.circuit.rules import RULES, CircuitRules
from shared.domain.known_clients import KNOWN_CLIENTS
from shared.domain.rate_limits import RATE_LIMITS, SHARED_EGRESS
from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.errors.operations import RUNBOOKS, why_no_runbook
from shared.observability.metric_spec import Dimension
from shared.observability.metrics import METRICS
from shared.observability.spans import SpanName
from shared.settings import FUNCTION_SETTINGS
from shared.state.audit_events import AuditAction

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- generated: {name}; change the code, then run `python -m scripts.docs_tables` -->"
END = "<!-- end: {name} -->"

FOLDERS_WITHOUT_CODE: Mapping[str, str] = {
    ".ci": "What the continuous integration calls.",
    ".github": "What GitHub is told: proposals of new versions, and its workflows.",
    ".github/workflows": "Checks, nightly audits, and a release through its stages.",
    "docs": "What the code cannot say about itself; start here.",
    "docs/decisions": "One record for each decision that shapes the house.",
    "docs/runbooks": "What to do when something is wrong, one page for each case.",
    "events": "Example events for every function; beside each, what is expected of the answer.",
    "events/canary": "The schedule's event.",
    "events/cleanup": "The schedule's event.",
    "events/mcp_endpoint": "HTTP at the MCP endpoint, as its Function URL hands it over.",
    "events/oauth": "HTTP at the authorization server, the same way.",
    "events/migrate": "What CloudFormation and operators ask of the migrations.",
    "events/release_check": "What CodeDeploy asks before traffic moves.",
    "events/token_refresh": "The schedule's event, and those of the two queues.",
    "requirements": "Direct dependencies (`*.in`) and their hashed pins (`*.txt`), by function.",
    "shared/state/migrations": "The database schema: plain SQL, forward only, one file a step.",
    "tests": "Everything that proves the rest; `tests/conftest.py` holds the fixtures.",
    "tests/integration": "Rooms with their real dependency: Postgres, AWS emulation, processes.",
    "tests/journeys": "Whole stories through the whole stack.",
    "tests/promises": "Documentation and templates agree with the code.",
    "tests/support": "Pieces that several tests need.",
    "tests/unit": "One folder for each room; nothing outside the process but loopback.",
}
_MAPPED_PARTS_MAX = 3


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *(list(row) for row in rows)]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def settings_table() -> str:
    """Every setting: name, default, the functions that read it, meaning."""
    readers: dict[str, list[str]] = {}
    fields: dict[str, FieldInfo] = {}
    for function, group in FUNCTION_SETTINGS.items():
        for name, field in group.model_fields.items():
            readers.setdefault(name.upper(), []).append(function)
            fields[name.upper()] = field
    return _table(
        ("Setting", "Default", "Read by", "Meaning"),
        (
            (f"`{name}`", _default(fields[name]), _readers(readers[name]), _meaning(fields[name]))
            for name in sorted(fields)
        ),
    )


def _readers(functions: list[str]) -> str:
    return "all" if len(functions) == len(FUNCTION_SETTINGS) else ", ".join(functions)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None:
        return "empty"
    if isinstance(field.default, tuple):
        return f"`{' '.join(field.default)}`"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`"


def _meaning(field: FieldInfo) -> str:
    secret = " Secret." if "SecretStr" in repr(field.annotation) else ""
    return f"{field.description}{secret}"


def _runbook(code: ErrorCode) -> str:
    page = RUNBOOKS.get(code)
    return f"none: {why_no_runbook(code)}" if page is None else f"[{page}](runbooks/{page})"


def errors_table() -> str:
    """Every row of the error catalogue, as callers meet it."""
    return _table(
        (
            "Code",
            "Category",
            "HTTP",
            "OAuth",
            "JSON-RPC",
            "Guidance",
            "Retry after",
            "Log",
            "Runbook",
            "Message",
        ),
        (
            (
                f"[`{code.value}`](#{code.value})",
                entry.category.value,
                str(entry.http_status),
                f"`{entry.oauth_code}`",
                str(entry.jsonrpc_code),
                entry.guidance.value,
                f"{entry.retry_after_seconds} s" if entry.retry_after_seconds else "none",
                entry.severity.value,
                _runbook(code),
                entry.message,
            )
            for code, entry in CATALOGUE.items()
        ),
    )


def _total(dimensions: tuple[Dimension, ...]) -> str:
    return ", ".join(f"`{dimension.value}`" for dimension in dimensions) or "all"


def metrics_table() -> str:
    """Every metric with its unit, dimensions and meaning."""
    return _table(
        ("Metric", "Unit", "Dimensions", "Totals", "Meaning"),
        (
            (
                f"`{name.value}`",
                spec.unit.value,
                ", ".join(f"`{dimension.value}`" for dimension in spec.dimensions) or "none",
                "; ".join(_total(one) for one in spec.also_by) or "none",
                spec.description,
            )
            for name, spec in METRICS.items()
        ),
    )


def spans_list() -> str:
    """Every span."""
    return "\n".join(f"- `{name.value}`" for name in SpanName)


def audit_list() -> str:
    """Every audit action; what each means stands below the list."""
    return ", ".join(f"[`{action.value}`](#{_anchor(action.value)})" for action in AuditAction)


def _anchor(heading: str) -> str:
    """The anchor that a heading gets: lower case, punctuation dropped, blanks to hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def decisions_table() -> str:
    """Every decision record with its title and status."""
    rows = []
    for path in sorted((ROOT / "docs/decisions").glob("ADR-*.md")):
        text = path.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix("# ").split(": ", 1)
        status = text.split("## Status", 1)[1].strip().splitlines()[0]
        rows.append((f"[{title[0]}]({path.name})", title[-1], status))
    return _table(("Record", "Decision", "Status"), rows)


def clients_table() -> str:
    """Every known client: how it registers, where it returns to, what is odd in it."""
    return _table(
        ("Client", "Family", "Becomes known by", "Ids and redirect URIs", "Quirks"),
        (
            (
                f"[{known.name}]({known.source})",
                f"`{known.family.value}`",
                ", ".join(way.value for way in known.ways),
                "<br>".join(
                    f"`{address}`"
                    for address in (
                        *known.document_ids,
                        *(family.document_id for family in known.document_families),
                        *known.own_redirects,
                        *known.shared_redirects,
                    )
                ),
                "; ".join(known.quirks),
            )
            for known in KNOWN_CLIENTS
        ),
    )


def rate_limits_table() -> str:
    """Every rate limit: what is counted by whom, and how much of it there is."""
    return _table(
        ("Rule", "Counts", "By", "At once", "One more every", "Whole again after"),
        (
            (
                f"`{name.value}`",
                limit.counts,
                name.value.rpartition("_by_")[2],
                str(limit.burst),
                f"{limit.seconds_each:g} s",
                f"{limit.full_after_seconds:g} s",
            )
            for name, limit in RATE_LIMITS.items()
        ),
    )


def circuits_table() -> str:
    """Every circuit's numbers: when it opens, and for how long."""

    def row(name: str, of: Callable[[CircuitRules], str]) -> tuple[str, ...]:
        return (name, *(of(rules) for rules in RULES.values()))

    return _table(
        ("", *(f"`{dependency.value}`" for dependency in RULES)),
        (
            row("a call is slow after", lambda one: f"{one.slow_call_seconds:g} s"),
            row(
                "failures: share, window",
                lambda one: f"{one.failure_share:.0%}, {one.failure_window_seconds:g} s",
            ),
            row(
                "slow calls: share, window",
                lambda one: f"{one.slow_share:.0%}, {one.slow_window_seconds:g} s",
            ),
            row("at least so many calls", lambda one: str(one.calls_min)),
            row("open, the first time", lambda one: f"{one.open_seconds:g} s"),
            row("shared by the fleet: windows", _fleet_windows),
        ),
    )


def _fleet_windows(rules: CircuitRules) -> str:
    fleet = rules.fleet
    if fleet is None:
        return "no"
    return f"{fleet.short_window_seconds} s, {fleet.long_window_seconds} s"


def shared_egress_table() -> str:
    """Addresses with many people behind them, and how much more they get."""
    return _table(
        ("Addresses", "Whose", "Limits", "Source"),
        (
            (
                ", ".join(f"`{network}`" for network in egress.networks),
                egress.name,
                f"{egress.factor} times",
                egress.source,
            )
            for egress in SHARED_EGRESS
        ),
    )


def folders_list() -> str:
    """Every folder with one line on what it is for."""
    lines = dict(FOLDERS_WITHOUT_CODE)
    for room in ("functions", "shared", "scripts"):
        for package in sorted((ROOT / room).rglob("__init__.py")):
            folder = package.parent.relative_to(ROOT)
            if len(folder.parts) <= _MAPPED_PARTS_MAX:
                lines[folder.as_posix()] = _first_line(package)
    present = (folder for folder in sorted(lines) if _holds_files(ROOT / folder))
    return "\n".join(f"- `{folder}/`: {lines[folder]}" for folder in present)


def _holds_files(folder: Path) -> bool:
    """Whether a clone would have this folder: empty ones and caches do not travel."""
    return any(path.is_file() and "__pycache__" not in path.parts for path in folder.rglob("*"))


def _first_line(package: Path) -> str:
    docstring = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8")))
    return (docstring or "").split("\n", 1)[0]


BLOCKS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "settings": ("docs/configuration.md", settings_table),
    "errors": ("docs/errors.md", errors_table),
    "metrics": ("docs/metrics.md", metrics_table),
    "spans": ("docs/metrics.md", spans_list),
    "audit actions": ("docs/audit.md", audit_list),
    "clients": ("docs/clients.md", clients_table),
    "rate limits": ("docs/limits.md", rate_limits_table),
    "shared egress": ("docs/limits.md", shared_egress_table),
    "circuits": ("docs/circuits.md", circuits_table),
    "outages": ("docs/outages.md", outages_table),
    "impossible outages": ("docs/outages.md", impossible_list),
    "decisions": ("docs/decisions/index.md", decisions_table),
    "folders": ("docs/map.md", folders_list),
}


def with_block(text: str, name: str, block: str) -> str:
    """``text`` with what stands between the markers of ``name`` replaced by ``block``.

    Raises:
        ValueError: the markers are missing.
    """
    begin, end = BEGIN.format(name=name), END.format(name=name)
    if begin not in text or end not in text:
        raise ValueError(f"no markers for {name}: {begin} … {end}")
    before, rest = text.split(begin, 1)
    return f"{before}{begin}\n\n{block}\n\n{end}{rest.split(end, 1)[1]}"


def outdated() -> list[str]:
    """Names of the blocks that differ from what the code says."""
    return [
        name
        for name, (document, block) in BLOCKS.items()
        if (text := (ROOT / document).read_text(encoding="utf-8"))
        != with_block(text, name, block())
    ]


def write() -> None:
    """Bring every block up to date."""
    for name, (document, block) in BLOCKS.items():
        path = ROOT / document
        text = path.read_text(encoding="utf-8")
        path.write_text(with_block(text, name, block()), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` only compare; 1 if something is out of date."""
    if "--check" not in arguments:
        write()
        return 0
    late = outdated()
    for name in late:
        print(f"out of date: {name} in {BLOCKS[name][0]}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
