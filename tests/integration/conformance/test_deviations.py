import re
import tomllib
from pathlib import Path

import pytest

from scripts.conformance_suite.deviations import LIST, Deviation, compare, known_deviations
from scripts.conformance_suite.report import Counts, counted, tell_verdict
from scripts.conformance_suite.suite import REVISIONS, Check, ScenarioResult, Status

DOCUMENT = Path(__file__).parents[3] / "docs" / "conformance.md"
OLD, NEW = "2025-11-25", "2026-07-28"


def result(scenario: str, revision: str = NEW, **statuses: Status) -> ScenarioResult:
    checks = tuple(Check(name, status, "why") for name, status in statuses.items())
    return ScenarioResult(revision, scenario, checks)


def entry(name: str, *revisions: str) -> Deviation:
    return Deviation(name, "a reason", frozenset(revisions))


@pytest.mark.parametrize("status", [Status.FAILURE, Status.WARNING])
def test_a_deviation_that_is_not_listed_fails_the_run(status: Status) -> None:
    verdict = compare([result("ping", a=status, b=Status.SUCCESS)], [])

    assert not verdict.passed
    assert [check.name for _, check in verdict.unexpected] == ["a"]


def test_a_listed_check_excuses_no_other_check() -> None:
    run = [result("ping", a=Status.FAILURE, b=Status.FAILURE)]

    verdict = compare(run, [entry("ping:a")])

    assert [check.name for _, check in verdict.unexpected] == ["b"]


def test_a_listed_scenario_excuses_all_its_checks_at_its_revisions_only() -> None:
    run = [result("ping", revision, a=Status.FAILURE) for revision in (OLD, NEW)]

    verdict = compare(run, [entry("ping", OLD)])

    assert [found.revision for found, _ in verdict.unexpected] == [NEW]


def test_an_entry_must_go_when_its_check_passes() -> None:
    run = [result("ping", OLD, a=Status.FAILURE), result("ping", NEW, a=Status.SUCCESS)]

    verdict = compare(run, [entry("ping")])

    assert not verdict.passed
    assert verdict.stale == [f"ping at {NEW}: it passes now"]


def test_an_entry_that_nothing_corresponds_to_must_go() -> None:
    verdict = compare([result("ping", a=Status.SUCCESS)], [entry("pong")])

    assert not verdict.passed
    assert verdict.stale[0].startswith("pong: the suite has no such scenario")


def test_skipped_and_informative_checks_are_no_deviations() -> None:
    verdict = compare([result("ping", a=Status.SKIPPED, b=Status.INFO)], [])

    assert verdict.passed


def test_the_figures_tell_wholly_and_partly_left_out_apart() -> None:
    run = [
        result("whole", a=Status.FAILURE, b=Status.SUCCESS),
        result("part", a=Status.FAILURE, b=Status.SUCCESS),
        result("good", a=Status.SUCCESS, b=Status.SUCCESS),
        result("bad", a=Status.FAILURE),
    ]

    verdict = compare(run, [entry("whole"), entry("part:a")])

    assert counted(verdict, NEW) == Counts(4, passed=1, in_part=1, left_out=1, failed=1, checks=3)


def test_what_is_wrong_is_told_with_its_message() -> None:
    told: list[str] = []
    verdict = compare([result("ping", a=Status.FAILURE)], [entry("pong")])

    tell_verdict("product", verdict, told.append, verbose=True)

    assert "  FAILURE 2026-07-28 ping:a: why" in told
    assert any("REMOVE FROM deviations.toml: pong" in line for line in told)


def test_an_entry_is_ignored_where_its_revisions_are_not_run(tmp_path: Path) -> None:
    listed = tmp_path / "list.toml"
    listed.write_text(
        '[[product]]\nreason = "r"\nrevisions = ["2025-11-25"]\ndeviations = ["ping"]\n'
    )

    assert known_deviations("product", [NEW], listed) == []
    assert len(known_deviations("product", REVISIONS, listed)) == 1


@pytest.mark.parametrize(
    ("group", "server"),
    [
        ("product", "product"),
        ("authorization", "product, authorization"),
        ("everything", "everything"),
    ],
)
@pytest.mark.parametrize("revision", REVISIONS)
def test_the_document_tells_of_each_run_what_the_list_leaves_out(
    group: str, server: str, revision: str
) -> None:
    listed = known_deviations(group, [revision])
    in_part = {entry.scenario for entry in listed if not entry.is_whole}
    (row,) = re.findall(
        rf"^\| {server} \| {revision} \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE
    )
    told = Counts(*(int(cell) for cell in row.split(" | ")))

    assert told.left_out == len([entry for entry in listed if entry.is_whole])
    assert told.in_part <= len(in_part)  # not every revision has all of these scenarios
    assert told.failed == 0
    assert told.scenarios == told.passed + told.in_part + told.left_out


def test_what_is_left_for_the_everything_server_is_checked_there() -> None:
    groups = tomllib.loads(LIST.read_text())
    elsewhere = {
        name.partition(":")[0]
        for group in groups["product"]
        if "everything server" in group["reason"]
        for name in group["deviations"]
    }
    left_out_there = {name for group in groups["everything"] for name in group["deviations"]}

    assert elsewhere
    assert elsewhere & left_out_there == set()
