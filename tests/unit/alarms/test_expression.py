"""Metric math as alarms use it."""

import pytest

from scripts.alarms.expression import ExpressionError, Value, evaluate, names_in


@pytest.mark.parametrize(
    ("expression", "values", "value"),
    [
        ("100 * (a - b) / a", {"a": 50.0, "b": 1.0}, 98.0),
        ("a / b", {"a": 1.0, "b": 0.0}, None),
        ("a + 1", {"a": None}, None),
        ("FILL(a, 0) + 1", {"a": None}, 1.0),
        ("IF(a >= 20, b, 0)", {"a": 20.0, "b": 7.0}, 7.0),
        ("IF(a >= 20, b, 0)", {"a": 19.0, "b": None}, 0.0),
        ("IF(a >= 20, b, 0)", {"a": None, "b": 7.0}, None),
        ("a + (a < 1)", {"a": 0.0}, 1.0),
        ("MIN([a, b])", {"a": 3.0, "b": 2.0}, 2.0),
        ("MAX([a, b])", {"a": None, "b": 2.0}, 2.0),
    ],
)
def test_an_expression_has_the_value_that_cloudwatch_documents(
    expression: str, values: dict[str, Value], *, value: Value
) -> None:
    assert evaluate(expression, values) == value


@pytest.mark.parametrize(
    "expression",
    ["SEARCH('x', 'Sum', 60)", "a.b", "__import__('os')", "a ** 2", "[a]", "a +", "b", "'a'"],
)
def test_what_is_not_known_is_refused_and_never_run(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, {"a": 1.0})


def test_the_names_in_an_expression_are_the_queries_it_looks_at() -> None:
    assert names_in("IF(FILL(a, 0) >= 20, MIN([b, c]), 0)") == {"a", "b", "c"}
