"""Alarms, dashboards, runbooks and the tables of docs/monitoring.md say the same as the code."""

import copy
import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from functions.canary.round import RoundOutcome
from shared.domain.sessions import LOSSES
from shared.domain.tokens import TokenKind, mint
from shared.observability.request_context import Ending
from tests.promises import alarms
from tests.promises.alarms import ALARM, COMPOSITE, FILTER, Resources, Rule, of_type
from tests.promises.deployed import template
from tests.promises.tree import ROOT

RUNBOOKS: Final = ROOT / "docs/runbooks"
MONITORING: Final = ROOT / "docs/monitoring.md"
SECONDS: Final = {"min": 60, "h": 3600}
Broken = dict[str, Any]

_TARGET = re.compile(
    r"^\| [^|]+ \| `(\w+)` \| (>=|>|<) ([\d.]+) \| (\d+) (min|h) \| (\d+) \|", re.MULTILINE
)
_LISTED = re.compile(
    r"^\| `(\w+)` \| ([^|]+) \| \[[a-z-]+\]\(runbooks/([a-z-]+\.md)\) \|$", re.MULTILINE
)
_NAMED = re.compile(r"^\*\*Alarms:\*\*(.+?)\.(?:\s|$)", re.MULTILINE | re.DOTALL)


def resources() -> Resources:
    found: Resources = template()["Resources"]
    return found


def targets(text: str) -> dict[str, Rule]:
    """The table of targets, by alarm."""
    return {
        name: Rule(operator, float(threshold), int(number) * SECONDS[unit], int(least))
        for name, operator, threshold, number, unit, least in _TARGET.findall(text)
    }


def different(found: Resources, text: str) -> list[str]:
    """Alarms on targets whose rule is not that of the table."""
    given = of_type(found, ALARM)
    return [
        name
        for name, rule in targets(text).items()
        if name not in given or alarms.rule_of(given[name]) != rule
    ]


def named_by(page: str) -> set[str]:
    """The alarms that a runbook says it is for."""
    line = _NAMED.search(page)
    return set(re.findall(r"`(\w+)`", line[1])) if line else set()


def mismatched(found: Resources, texts: dict[str, str]) -> list[str]:
    """Alarms and runbooks that do not name each other."""
    from_alarms = {(name, page) for name, page in alarms.pages(found).items()}
    from_pages = {(name, page) for page, text in texts.items() for name in named_by(text)}
    return sorted(f"{name}: {page}" for name, page in from_alarms ^ from_pages)


def runbooks() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in RUNBOOKS.iterdir()}


def broken(change: Callable[[Broken], object]) -> Resources:
    """A copy of the template's resources with something wrong."""
    copied: Broken = copy.deepcopy(dict(resources()))
    change(copied)
    return copied


def test_alarms_and_widgets_look_at_metrics_that_are_emitted_with_these_dimensions() -> None:
    assert alarms.unknown_metrics(resources()) == []


RENAMED, WITHOUT_STAGE, OTHER_VALUE, NO_FILTER = (
    lambda one: one["TokenKeyUnusable"]["Properties"].update(MetricName="KeysUnusable"),
    lambda one: one["TokenKeyUnusable"]["Properties"].update(Dimensions=[]),
    lambda one: one["KmsCircuitOpen"]["Properties"]["Dimensions"].__setitem__(
        1, {"Name": "dependency", "Value": "the_moon"}
    ),
    lambda one: [one.pop(name) for name in of_type(one, FILTER)],
)


@pytest.mark.parametrize("change", [RENAMED, WITHOUT_STAGE, OTHER_VALUE, NO_FILTER])
def test_an_alarm_on_what_nothing_emits_would_be_found(change: Callable[[Broken], object]) -> None:
    assert len(alarms.unknown_metrics(broken(change))) == 1


def test_a_widget_on_what_nothing_emits_would_be_found() -> None:
    def change(one: Broken) -> None:
        body = one["OperationsDashboard"]["Properties"]["DashboardBody"]
        body["Fn::Sub"] = body["Fn::Sub"].replace('"RetrievalOwnDuration"', '"OwnDuration"', 1)

    (found,) = alarms.unknown_metrics(broken(change))
    assert found.startswith("OperationsDashboard")


def test_every_alarm_has_its_runbook_and_every_runbook_names_its_alarms() -> None:
    assert mismatched(resources(), runbooks()) == []
    assert None not in alarms.pages(resources()).values()


def test_an_alarm_without_a_page_and_a_page_without_its_alarm_would_be_found() -> None:
    silent = broken(lambda one: one["TokenExposed"]["Properties"].pop("AlarmDescription"))
    assert mismatched(silent, runbooks()) == [
        "TokenExposed: None",
        "TokenExposed: token-exposed.md",
    ]

    gone = broken(lambda one: one.pop("TokenExposed"))
    assert mismatched(gone, runbooks()) == ["TokenExposed: token-exposed.md"]

    unnamed = {**runbooks(), "throttled.md": "# Nothing of alarms"}
    assert len(mismatched(resources(), unnamed)) == 2


def test_targets_have_just_the_thresholds_windows_and_least_samples_of_the_table() -> None:
    text = MONITORING.read_text(encoding="utf-8")

    assert len(targets(text)) == 17
    assert different(resources(), text) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("OAuthFlowSlow", {"Threshold": 6000}),
        ("RecoveryLow", {"ComparisonOperator": "GreaterThanThreshold"}),
        ("InvoluntarySignOut", {"EvaluationPeriods": 6}),
    ],
)
def test_another_threshold_window_or_direction_would_be_found(
    name: str, change: dict[str, Any]
) -> None:
    changed = broken(lambda one: one[name]["Properties"].update(change))

    assert different(changed, MONITORING.read_text(encoding="utf-8")) == [name]


def test_fewer_least_samples_would_be_found() -> None:
    def change(one: Broken) -> None:
        query = one["SignInCompletionLow"]["Properties"]["Metrics"][0]
        query["Expression"] = query["Expression"].replace(">= 20", ">= 2")

    found = different(broken(change), MONITORING.read_text(encoding="utf-8"))
    assert found == ["SignInCompletionLow"]


def test_the_list_of_alarms_is_whole_and_says_who_is_called() -> None:
    listed = {
        name: (severity, page)
        for name, severity, page in _LISTED.findall(MONITORING.read_text(encoding="utf-8"))
    }
    pages = alarms.pages(resources())

    assert {name: page for name, (_, page) in listed.items()} == pages
    for name, alarm in of_type(resources(), ALARM, COMPOSITE).items():
        topics = {topic["Ref"] for topic in alarm.get("AlarmActions", [])}
        said = {f"{listed[name][0].title()}Alarms"}
        assert topics == (said if topics else set()), name
        assert bool(topics) != listed[name][0].startswith("gathered by"), name


def test_every_alarm_is_heard() -> None:
    assert alarms.unheard(resources()) == []

    deaf = broken(lambda one: one["PeopleNotServed"]["Properties"].pop("AlarmActions"))
    assert {"PeopleNotServed", "CanaryFails", "AvailabilityLow"} <= set(alarms.unheard(deaf))


def test_continuity_and_recovery_add_up_all_that_the_code_knows() -> None:
    used = list(alarms.used_metrics(resources()))

    def values(user: str, key: str) -> set[str]:
        return {one.dimensions[key] for one in used if one.user == user and key in one.dimensions}

    assert values("SessionContinuityLow", "cause") == {cause.value for cause in LOSSES}
    assert values("RecoveryLow", "outcome") == {ending.value for ending in Ending}
    assert values("OperationsDashboard: Faults met, by how they ended", "outcome") == {
        ending.value for ending in Ending
    }
    assert values("AvailabilityLow", "outcome") == {outcome.value for outcome in RoundOutcome}


def pattern() -> re.Pattern[str]:
    """What the filters look for; CloudWatch's syntax between the percent signs is a subset."""
    (found,) = {one["FilterPattern"] for one in of_type(resources(), FILTER).values()}
    assert found[0] == found[-1] == "%"
    assert not set("()!&") & set(found), "CloudWatch takes neither groups nor these"
    return re.compile(found[1:-1])


@pytest.mark.parametrize("kind", TokenKind)
def test_the_filter_finds_every_kind_of_token_of_ours(kind: TokenKind) -> None:
    assert pattern().search(f'{{"message": "odd", "field": "{mint(kind)}"}}')


@pytest.mark.parametrize(
    "line",
    [
        f"Bearer eyJ{'a' * 30}.eyJ{'b' * 80}.{'c' * 40}",
        f"refresh_token=def50200{'0a' * 200}",
    ],
)
def test_the_filter_finds_tokens_of_others(line: str) -> None:
    assert pattern().search(line)


@pytest.mark.parametrize(
    "line",
    [
        '{"message": "invocation ended", "correlation_id": "0123456789abcdef0123456789abcdef"}',
        '{"token": "[redacted]", "prefix": "dmcp_at_", "release": "def50200"}',
    ],
)
def test_the_filter_leaves_ordinary_lines_alone(line: str) -> None:
    assert pattern().search(line) is None


def test_a_filter_looks_at_every_log_group() -> None:
    assert alarms.unfiltered(resources()) == []

    unwatched = broken(lambda one: one.pop("MigrateTokenFilter"))
    assert alarms.unfiltered(unwatched) == ["MigrateLogGroup"]
