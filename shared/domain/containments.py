"""What an operator contains, and in whose name: one client, one person, or everybody."""

from dataclasses import dataclass
from uuid import UUID

from shared.domain.identifiers import ClientId, UserId

OPERATOR_CHARACTERS_MAX = 64
REASON_CHARACTERS_MAX = 200


class UnusableOrderError(ValueError):
    """An operator's name or reason that the audit trail cannot take."""


@dataclass(frozen=True, slots=True)
class OneClient:
    """All that people gave to one client."""

    client_id: ClientId


@dataclass(frozen=True, slots=True)
class OnePerson:
    """All that one person gave."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class Everybody:
    """Every session that there is."""


Target = OneClient | OnePerson | Everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One containment: who asked for it, and why; its id joins what was done in many batches."""

    containment_id: UUID
    operator: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse what the audit trail cannot take.

        Raises:
            UnusableOrderError: empty, too long, or not one line of print.
        """
        _require_line("operator", self.operator, OPERATOR_CHARACTERS_MAX)
        _require_line("reason", self.reason, REASON_CHARACTERS_MAX)

    def details(self) -> dict[str, str]:
        """What every audit event of this containment says."""
        return {
            "containment": str(self.containment_id),
            "operator": self.operator,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What there is of a target, in numbers.

    ``codes`` can still be redeemed, ``sign_ins`` are under way, ``approvals`` are browsers that
    would not be asked again, ``visits`` those of the account page.
    """

    grants: int
    sessions: int
    access_tokens: int
    codes: int
    sign_ins: int
    approvals: int
    visits: int


def _require_line(name: str, text: str, characters_max: int) -> None:
    if not text.strip() or len(text) > characters_max or not text.isprintable():
        raise UnusableOrderError(f"{name}: one line of 1 to {characters_max} characters")
