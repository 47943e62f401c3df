import pytest

from shared.state.statement_names import name_of


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT call.* FROM app.authenticate_call(%(x)s) AS call", "select.authenticate_call"),
        ("\n  UPDATE app.grants SET ended_at = app.now()", "update.grants"),
        ("SELECT app.now() FROM app.sessions", "select.sessions"),
        (
            "WITH gone AS (DELETE FROM app.sign_ins RETURNING *) SELECT * FROM gone",
            "delete.sign_ins",
        ),
        ("SELECT 1", "select"),
        ("-- 7", "other"),
    ],
)
def test_a_statement_is_named_by_its_verb_and_what_it_is_about(sql: str, name: str) -> None:
    assert name_of(sql) == name
