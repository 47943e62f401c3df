"""A data key as stored: wrapped by KMS, of no use without it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedDataKey:
    """One generation of the stage's data key; ``generation`` counts from 1."""

    generation: int
    wrapped_key: bytes = field(repr=False)
    kms_key_id: str
