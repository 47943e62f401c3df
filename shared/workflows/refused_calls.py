"""Work that is not begun while the circuit of what it leads to is open."""

from shared.circuit.guard import CircuitGuard
from shared.circuit.refusals import CircuitOpenError
from shared.domain.circuits import Dependency
from shared.upstream.watching import as_outage


def refuse_while_open(circuits: CircuitGuard, dependency: Dependency) -> None:
    """Go on only if a call to the site would go out.

    Raises:
        UpstreamUnavailableError: it would not; ``sent`` is False.
    """
    try:
        circuits.refuse_if_open(dependency)
    except CircuitOpenError as refusal:
        raise as_outage(refusal) from refusal
