import pytest

from scripts.fake_drupal.dialects import DIALECTS
from scripts.fake_drupal.dialects.descriptions import DESCRIPTIONS
from scripts.fake_drupal.dialects.model import Failure


@pytest.mark.parametrize("number", sorted(DIALECTS))
def test_every_failure_has_a_shape_and_every_code_a_description(number: int) -> None:
    dialect = DIALECTS[number]

    assert set(dialect.errors) == set(Failure)
    for shape in dialect.errors.values():
        assert shape.description or shape.error in DESCRIPTIONS


def test_an_invalid_refresh_token_is_worded_alike_and_numbered_differently() -> None:
    shapes = [DIALECTS[number].errors[Failure.REFRESH_REVOKED] for number in (5, 6)]

    assert [(shape.status, shape.error) for shape in shapes] == [
        (401, "invalid_request"),
        (400, "invalid_grant"),
    ]
    assert len({(shape.hint, shape.description) for shape in shapes}) == 1


@pytest.mark.parametrize("number", sorted(DIALECTS))
def test_the_demo_scopes_are_on_offer(number: int) -> None:
    dialect = DIALECTS[number]

    assert all(dialect.scope(name) for name in dialect.demo_scopes)
