"""The image runs what was tested."""

import re

from functions.container.clock import INTERVAL_SECONDS
from functions.container.roles import PORT_DEFAULT, Role
from scripts.local_stack.stack import CONTAINER_VARIABLES
from tests.promises.deployed import FUNCTIONS, OUTSIDE, resources
from tests.promises.tree import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_there_is_a_role_for_every_function_but_those_that_watch_from_outside() -> None:
    assert set(Role) == set(FUNCTIONS) - set(OUTSIDE)


def test_the_local_stack_runs_containers_with_the_variables_of_the_image() -> None:
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)
    given = dict(pair.split("=", 1) for pair in block.replace("\\", " ").split())

    assert given.items() >= CONTAINER_VARIABLES.items()


def test_the_image_serves_where_it_says_and_as_nobody_special() -> None:
    assert f"EXPOSE {PORT_DEFAULT}" in DOCKERFILE
    assert re.search(r"^USER \d+$", DOCKERFILE, re.MULTILINE)
    assert "--require-hashes" in DOCKERFILE


def test_what_the_image_ships_is_what_was_tested() -> None:
    pins = set(
        re.findall(r"^\S+==\S+", (ROOT / "requirements/container.txt").read_text(), re.MULTILINE)
    )
    tested = set(
        re.findall(r"^\S+==\S+", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)
    )

    assert pins
    assert pins <= tested


def test_schedules_tick_as_often_as_those_of_the_template() -> None:
    minutes = {
        int(re.findall(r"\d+", rule["ScheduleExpression"])[0])
        for rule in resources("AWS::Events::Rule").values()
    }

    assert {seconds / 60 for seconds in INTERVAL_SECONDS.values()} == minutes
