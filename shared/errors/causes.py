"""What led to an error: the chain of exceptions behind it, the first one first.

Only names, codes and facts leave here, never an exception's own text.
"""

from typing import Final

from shared.errors.base import ServiceError

CHAIN_MAX: Final = 8
"""Exceptions told of one chain; the first ones matter most, and are kept."""


def chain_of(error: BaseException) -> list[BaseException]:
    """The exceptions that led to ``error``, from the first to itself."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and not any(current is known for known in chain):
        chain.append(current)
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    chain.reverse()
    return chain[:CHAIN_MAX]


def name_of(error: BaseException) -> str:
    """Its code, where the catalogue knows it, else its type."""
    return error.code.value if isinstance(error, ServiceError) else type(error).__name__


def first_cause(error: BaseException) -> str:
    """What happened first: the earliest error of the chain that the catalogue knows.

    The driver's exception below it is the same fault in other words.
    """
    chain = chain_of(error)
    known = [one for one in chain if isinstance(one, ServiceError)]
    return name_of(known[0] if known else chain[0])
