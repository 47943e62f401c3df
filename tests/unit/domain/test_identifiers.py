"""UUIDv7 identifiers."""

from shared.domain.identifiers import new_id


def test_an_identifier_is_a_uuid_of_version_7() -> None:
    identifier = new_id()

    assert identifier.version == 7
    assert identifier.variant == "specified in RFC 4122"


def test_identifiers_are_unique() -> None:
    assert len({new_id() for _ in range(1_000)}) == 1_000
