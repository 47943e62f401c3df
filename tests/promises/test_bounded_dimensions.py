"""No dimension of a metric can take a value that somebody else chooses: each is read off the code.

A value may be a word in the code, a member of an enumeration, or one of the names below, each with
the reason why it takes only so many values.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.promises.tree import ROOT, files

RECORDERS: Final = frozenset({"count", "duration", "gauge"})
BOUNDED: Final = {
    "functions/canary/round.py: check": "names of shared/checks",
    "functions/canary/round.py: outcome": "ok or failed",
    "functions/cleanup/housekeeping.py: rule.name": "retention rules",
    "functions/cleanup/housekeeping.py: outcome": "words of the drainers",
    "functions/cleanup/key_rotation.py: str(generation)": "data keys in use; old ones are retired",
    "functions/cleanup/key_rotation.py: action.value.partition(':')[2]": "an enumeration's members",
    "functions/mcp_endpoint/admission.py: rule": "names of limits",
    "functions/mcp_endpoint/tools/kept_searches.py: outcome": "words of the module",
    "functions/mcp_endpoint/tools/shown_content.py: outcome": "words of the module",
    "functions/mcp_endpoint/usage.py: metric_name": "tools of ours, and one name for the site's",
    "functions/mcp_endpoint/usage.py: outcome": "ok, or an error code",
    "functions/oauth/flows/document_client.py: outcome": "words of the module",
    "functions/oauth/envelope.py: OPERATIONS.get(path, 'other')": "a table with a default",
    "functions/oauth/envelope.py: f'{sender.status // 100}xx'": "five classes of statuses",
    "functions/oauth/flows/account_sign_in.py: outcome": "words of the module",
    "functions/oauth/flows/begin_sign_in.py: family": "an enumeration's value",
    "functions/oauth/flows/client_keys.py: outcome": "words of the module",
    "functions/oauth/flows/finish_sign_in.py: reason": "words of the module",
    "functions/token_refresh/queue_batch.py: outcome": "words of the module",
    "shared/circuit/guard.py: dependency": "an enumeration's value",
    "shared/observability/memory_pressure.py: outcome": "retired or relieved",
    "shared/observability/recovery.py: dependency": "names of our dependencies",
    "shared/observability/tracing.py: ended.outcome": "ok or failed",
    "shared/state/database.py: operation": "connect or check",
    "shared/state/database.py: outcome": "ok, stale or failed",
    "shared/state/statement_times.py: statement": "names of statements, which are constants",
    "shared/upstream/transport.py: operation": "words of the callers, and site methods in settings",
    "shared/upstream/transport.py: outcome": "ok, interrupted, or an error code",
    "shared/vault/kms_data_keys.py: operation": "words of the module",
    "shared/vault/token_vault.py: reason": "words of the module",
    "shared/workflows/end_grant.py: family": "an enumeration's value",
    "shared/workflows/keep_pair.py: revived.client_family": "an enumeration's value",
    "shared/workflows/refresh_grant.py: ended": "words of the module",
}


def _recorded(tree: ast.AST) -> Iterator[ast.expr]:
    """The values of dimensions at every call that records a sample."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute):
            named = ast.unparse(node.args[0]).rpartition(".")[0].endswith("MetricName")
            if node.func.attr in RECORDERS and named:
                yield from (keyword.value for keyword in node.keywords if keyword.arg)


def _is_word(value: ast.expr) -> bool:
    """A word in the code, a member's value, or a choice between such."""
    if isinstance(value, ast.IfExp):
        return _is_word(value.body) and _is_word(value.orelse)
    if isinstance(value, ast.Attribute):
        return value.attr == "value"
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def unbounded(source: str, place: str) -> list[str]:
    """Dimension values in ``source`` of which nobody has said that they are bounded."""
    values = (ast.unparse(one) for one in _recorded(ast.parse(source)) if not _is_word(one))
    return [f"{place}: {text}" for text in values]


def _found() -> Iterator[str]:
    for path in files():
        if path.suffix == ".py" and path.parts[0] in {"functions", "shared"}:
            yield from unbounded((ROOT / path).read_text("utf-8"), path.as_posix())


def test_every_dimension_takes_its_values_from_the_code() -> None:
    assert set(_found()) == set(BOUNDED)


@pytest.mark.parametrize(
    "value",
    [
        "request.headers['user-agent']",
        "client.client_id",
        "f'person {user_id}'",
        "str(error)",
        "params.name",
        "query if query else 'none'",
    ],
)
def test_a_dimension_that_callers_choose_would_be_found(value: str) -> None:
    source = f"metrics.count(MetricName.TOOL_CALLS, tool={value}, outcome='ok')"

    (found,) = unbounded(source, str(Path("x.py")))
    assert found.startswith("x.py: ")
    assert found not in BOUNDED
