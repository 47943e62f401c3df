"""Members of JSON objects, each at most once (RFC 8259 section 4 leaves open which one counts).

Two readers of one registration or document could each see another redirect URI in it.
"""

from typing import Any


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these members; for ``object_pairs_hook`` of the parser.

    Raises:
        ValueError: a name stands in it twice.
    """
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members
