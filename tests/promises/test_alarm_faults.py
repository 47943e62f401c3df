"""Every alarm of the template has a fault that fires it, and every fault its alarm."""

from scripts.alarm_faults.__main__ import CASES
from scripts.alarm_faults.case import missing
from scripts.alarms.template_alarms import template_alarms


def alarms() -> list[str]:
    template = template_alarms()
    return [one.name for one in template.alarms] + [one.name for one in template.composites]


def test_every_alarm_has_a_fault_that_is_planted_for_it() -> None:
    assert missing(CASES, alarms()) == []
    assert missing(CASES[1:], alarms()) == sorted(CASES[0].alarms)


def test_no_fault_is_planted_for_an_alarm_that_is_gone() -> None:
    assert {name for case in CASES for name in case.alarms} <= set(alarms())
