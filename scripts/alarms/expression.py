"""Metric math: the expressions of alarms, evaluated at one point of time.

A small part of CloudWatch's syntax, which is the part that the template uses; anything else is
refused. Nothing of an expression is ever run as code.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Final

Value = float | None
"""None: no data at this point."""


class ExpressionError(Exception):
    """The expression uses what is not known here."""


_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[float, float], bool]]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_OF_LISTS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {"MIN": min, "MAX": max}


def names_in(expression: str) -> set[str]:
    """The ids of other queries that an expression looks at.

    Raises:
        ExpressionError: it cannot be read.
    """
    functions = {"FILL", "IF", *_OF_LISTS}
    found = {node.id for node in ast.walk(_parsed(expression)) if isinstance(node, ast.Name)}
    return found - functions


def evaluate(expression: str, values: Mapping[str, Value]) -> Value:
    """The value of an expression where its names have these values.

    What is calculated from no data is no data, but for ``FILL``; neither is a division by zero.

    Raises:
        ExpressionError: it cannot be read, or names what is not among ``values``.
    """
    return _value(_parsed(expression), values)


def _parsed(expression: str) -> ast.expr:
    try:
        # The syntax of these expressions is a part of Python's; only its tree is used.
        return ast.parse(expression, mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(expression) from error


def _value(node: ast.expr, values: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.BinOp(left, operation, right) if type(operation) in _ARITHMETIC:
            return _calculated(_ARITHMETIC[type(operation)], left, right, values)
        case ast.Compare(left, [comparison], [right]) if type(comparison) in _COMPARISONS:
            return _calculated(_COMPARISONS[type(comparison)], left, right, values)
        case ast.Call(ast.Name(name), arguments, []):
            return _called(name, arguments, values)
    raise ExpressionError(ast.unparse(node))


def _calculated(
    calculate: Callable[[float, float], float],
    left: ast.expr,
    right: ast.expr,
    values: Mapping[str, Value],
) -> Value:
    one, other = _value(left, values), _value(right, values)
    if one is None or other is None:
        return None
    try:
        return float(calculate(one, other))
    except ZeroDivisionError:
        return None


def _called(name: str, arguments: Sequence[ast.expr], values: Mapping[str, Value]) -> Value:
    match name, arguments:
        case "FILL", [filled, instead]:
            found = _value(filled, values)
            return _value(instead, values) if found is None else found
        case "IF", [condition, then, otherwise]:
            holds = _value(condition, values)
            return None if holds is None else _value(then if holds else otherwise, values)
        case _, [ast.List(elements)] if name in _OF_LISTS:
            known = [found for one in elements if (found := _value(one, values)) is not None]
            return _OF_LISTS[name](known) if known else None
    raise ExpressionError(f"{name} of {len(arguments)}")
