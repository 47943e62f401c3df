"""The invocation under way, as the runtime client and the handler both see it.

An environment serves one invocation at a time, so there is one; it must not carry anything from
one invocation to the next.
"""

from dataclasses import dataclass, field

from shared.lambda_stream.response_stream import InvocationAddress, ResponseStream


@dataclass
class Invocation:
    """What the handler needs to stream, and the runtime client needs to know afterwards."""

    address: InvocationAddress
    stream: ResponseStream = field(init=False)
    environment_is_broken: bool = False
    """Set by a handler that cannot serve again: the process ends after this invocation."""

    def __post_init__(self) -> None:
        self.stream = ResponseStream(self.address)


_current: Invocation | None = None


def begin(address: InvocationAddress) -> Invocation:
    """Make the invocation at ``address`` the current one."""
    global _current  # noqa: PLW0603 - one invocation at a time in one environment
    _current = Invocation(address)
    return _current


def find(request_id: str) -> Invocation | None:
    """The invocation under way if it is ``request_id``; None when the runtime is not ours."""
    if _current is None or _current.address.request_id != request_id:
        return None
    return _current
