"""Connection strings of the functions' roles, as far as a migrator must understand them."""

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from shared.state.roles import AppRole


class ForeignRoleError(Exception):
    """A connection string is malformed, or names another user than its function's role."""


def password_in(conninfo: str, role: AppRole) -> str | None:
    """The password with which ``role`` will connect; None where the server asks for none.

    Raises:
        ForeignRoleError: the string does not connect as that role.
    """
    try:
        parts = conninfo_to_dict(conninfo)
    except ProgrammingError:
        # Its text quotes the string.
        raise ForeignRoleError(role.value) from None
    if parts.get("user") != role.value:
        raise ForeignRoleError(role.value)
    password = parts.get("password")
    return None if password is None else str(password)
