import re

import pytest

from scripts import docs_tables
from shared.errors.catalogue import ErrorCode
from shared.observability.metrics import MetricName
from shared.settings import FUNCTION_SETTINGS
from shared.state.audit_events import AuditAction
from tests.promises.tree import ROOT, sections

WORDS = {
    "upstream",
    "authorization server",
    "resource server",
    "client",
    "sign-in",
    "grant",
    "session",
    "seal",
    "open",
    "circuit",
    "error catalogue",
    "audit event",
}


def _first_cells(document: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"^\| \[?`([^`]+)`", text, re.MULTILINE)


def test_the_generated_parts_of_the_documents_are_up_to_date() -> None:
    assert docs_tables.outdated() == [], "run `python -m scripts.docs_tables`"


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no markers for settings"):
        docs_tables.with_block("no markers here", "settings", "table")


def test_exactly_the_settings_are_documented() -> None:
    settings = {name.upper() for group in FUNCTION_SETTINGS.values() for name in group.model_fields}

    documented = _first_cells("docs/configuration.md")

    assert sorted(settings) == documented


def test_every_setting_says_what_it_is_for() -> None:
    for group in FUNCTION_SETTINGS.values():
        for name, field in group.model_fields.items():
            assert field.description, name
            assert field.description.endswith("."), name


def test_exactly_the_errors_are_documented_each_with_words_for_operators() -> None:
    codes = [code.value for code in ErrorCode]

    entries = sections("docs/errors.md", after="## For operators")

    assert sorted(_first_cells("docs/errors.md")) == sorted(codes)
    assert sorted(entries) == sorted(codes)
    for code, text in entries.items():
        assert len(text) > 20, code


def test_exactly_the_metrics_are_documented() -> None:
    names = {name.value for name in MetricName}

    documented = _first_cells("docs/metrics.md")

    assert len(documented) == len(set(documented))
    assert names == set(documented) - {"timestamp", "level", "message", "correlation_id"} - {
        "service",
        "location",
    }


def test_exactly_the_audit_actions_are_documented() -> None:
    entries = sections("docs/audit.md")

    assert sorted(entries) == sorted(action.value for action in AuditAction)
    assert all(entries.values())


def test_the_glossary_explains_the_words_of_the_house() -> None:
    entries = sections("docs/glossary.md")

    assert set(entries) >= WORDS
    assert all(len(text) > 30 for text in entries.values())
