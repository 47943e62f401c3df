"""Heads of chains as the cleanup archives them: places that a check can begin with or end at."""

import json
from collections.abc import Mapping
from typing import Any

from scripts.audit_trail.verification import ChainEnds
from shared.domain.audit_chains import ChainPlace


def read(text: str) -> dict[int, ChainPlace]:
    """The places of an archived file, by chain.

    Raises:
        ValueError: it is no such file.
    """
    try:
        found: Mapping[str, Any] = json.loads(text)
        return {
            int(head["chain"]): ChainPlace(
                int(head["chain"]), int(head["sequence"]), bytes.fromhex(head["hash"])
            )
            for head in found["heads"]
        }
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a file of heads: {type(error).__name__}") from None


def beginning_at(
    ends: Mapping[int, ChainEnds], heads: Mapping[int, ChainPlace]
) -> dict[int, ChainEnds]:
    """``ends`` with the beginning of each chain at its place in ``heads``."""
    return {
        chain: ChainEnds(heads.get(chain, known.before_oldest), known.newest)
        for chain, known in ends.items()
    }
