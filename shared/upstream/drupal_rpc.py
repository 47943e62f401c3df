"""JSON-RPC calls to the site on behalf of a person.

Always POST: answers to GET are cached by the site without regard to who asked. Replies belong to
their HTTP exchange, not to their ``id``, which the site often leaves out.
"""

import json
from collections.abc import Mapping

from pydantic import JsonValue

from shared.domain.identifiers import new_id
from shared.errors.base import ServiceError
from shared.observability.spans import SpanName
from shared.upstream import failures
from shared.upstream.answers import Answer
from shared.upstream.classification import protected_failure, rpc_failure
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.transport import PooledTransport, TransportLimits, observed
from shared.upstream.watching import Watch, unwatched, watched

RPC_PATH = "/jsonrpc?_format=json"
"""Without ``_format`` the site's refusals are HTML pages; the ``Accept`` header does not help."""


class DrupalRpc:
    """The site's JSON-RPC endpoint (module jsonrpc)."""

    def __init__(
        self,
        site: DrupalSite,
        *,
        limits: TransportLimits | None = None,
        watch: Watch = unwatched,
    ) -> None:
        self.site = site
        self._watch = watch
        self._transport = PooledTransport(limits or TransportLimits())

    async def call(
        self,
        method: str,
        params: Mapping[str, JsonValue],
        *,
        access_token: str,
        timeout_seconds: float,
        path: str = RPC_PATH,
        operation: str | None = None,
    ) -> JsonValue:
        """Call ``method`` with named parameters and return its result, as the site sent it.

        ``path`` is another address that takes JSON-RPC; ``operation`` stands for the method in
        metrics where the method's name is not ours.

        Raises:
            UpstreamTokenRejectedError: the access token does not work (any more).
            AccessForbiddenError, InsufficientUpstreamScopeError: the person may not do this.
            ContentNotFoundError, ArgumentsRejectedError: the method refuses what was asked.
            SearchUnavailableError: the site's search engine is away.
            UpstreamUnavailableError: any outage.
            UpstreamMisconfiguredError: the site does not know the method or the address.
        """
        request: dict[str, JsonValue] = {"jsonrpc": "2.0", "id": str(new_id()), "method": method}
        if params:
            request["params"] = dict(params)
        content = json.dumps(request, separators=(",", ":")).encode("utf-8", "replace")
        async with watched(self._watch, method, timeout_seconds=timeout_seconds):
            with observed(SpanName.UPSTREAM_RPC, operation or method):
                answer = await self._transport.post(
                    self.site.url(path),
                    content=content,
                    headers={
                        "Authorization": f"Bearer {access_token}",
                        "Content-Type": "application/json",
                    },
                    timeout_seconds=timeout_seconds,
                )
                return result_of(answer)

    async def get(self, path: str, *, access_token: str, timeout_seconds: float) -> Answer:
        """GET an address of the site that is no JSON-RPC; what the answer means is the caller's.

        Raises:
            UpstreamUnavailableError: any outage of the site, or of the way to it.
        """
        async with watched(self._watch, "get", timeout_seconds=timeout_seconds):
            answer = await self._transport.get(
                self.site.url(path),
                headers={"Authorization": f"Bearer {access_token}"},
                timeout_seconds=timeout_seconds,
            )
            failure = protected_failure(answer)
            if isinstance(failure, failures.UpstreamUnavailableError):
                raise failure
            return answer

    def drop_connections(self) -> None:
        """Forget connections after a restore from a snapshot."""
        self._transport.drop_connections()

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()


def result_of(answer: Answer) -> JsonValue:
    """The ``result`` of a JSON-RPC reply (JSON-RPC 2.0 section 5).

    Raises:
        ServiceError: what the answer is instead.
    """
    failure: ServiceError | None = protected_failure(answer)
    if failure is not None:
        raise failure
    body = answer.json_object or {}
    error = body.get("error")
    if isinstance(error, dict):
        raise rpc_failure(error, status=answer.status)
    if answer.status != 200 or "result" not in body:
        raise failures.UpstreamAnswerInvalidError({"upstream_status": answer.status})
    result: JsonValue = body["result"]
    return result
