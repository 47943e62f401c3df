from pathlib import Path

import pytest

from tests.support.pooled_runs import NOT_THROUGH_A_POOL

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("name", NOT_THROUGH_A_POOL)
def test_what_a_pooled_run_leaves_out_exists(name: str) -> None:
    file, _, test = name.partition("::")

    assert f"def {test}(" in (TESTS / file).read_text()
