"""Which failure an answer of the site is: tables of rules, read from the top, first match wins.

Never decides by the status alone: simple_oauth answers 401 for its own faults, 5.x and 6.x differ
in status and code for the same refusal, and a proxy's page may come with any status.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.errors.base import LogFact, ServiceError
from shared.upstream import failures
from shared.upstream.answers import Answer


class TokenRequest(StrEnum):
    """What was asked of the token endpoint."""

    CODE = "authorization_code"
    REFRESH = "refresh_token"


Facts = dict[str, LogFact]
_Build = Callable[[Answer, Facts], ServiceError]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: when ``applies``, the answer is the failure that ``build`` makes."""

    name: str
    applies: Callable[[Answer], bool]
    build: _Build


def first_failure(rules: tuple[Rule, ...], answer: Answer) -> ServiceError | None:
    """The failure of the first rule that applies; None when none does."""
    for rule in rules:
        if rule.applies(answer):
            return rule.build(answer, {"upstream_status": answer.status, "rule": rule.name})
    return None


def _member(answer: Answer, name: str) -> str:
    value = (answer.json_object or {}).get(name)
    return value if isinstance(value, str) else ""


def _unavailable(answer: Answer, facts: Facts) -> ServiceError:
    return failures.UpstreamUnavailableError(
        facts, retry_after_seconds=answer.retry_after_seconds()
    )


def _maintenance(answer: Answer, facts: Facts) -> ServiceError:
    return failures.UpstreamMaintenanceError(
        facts, sent=False, retry_after_seconds=answer.retry_after_seconds()
    )


def _rate_limited(answer: Answer, facts: Facts) -> ServiceError:
    return failures.UpstreamRateLimitedError(
        facts, sent=False, retry_after_seconds=answer.retry_after_seconds()
    )


def _not_processed(_answer: Answer, facts: Facts) -> ServiceError:
    return failures.UpstreamUnavailableError(facts, sent=False)


def _plain(kind: type[ServiceError]) -> _Build:
    return lambda _answer, facts: kind(facts)


# Outages look alike on every route. A redirect is one: Drupal without its database sends callers
# to its installer, and a bearer token must not follow.
OUTAGE_RULES: tuple[Rule, ...] = (
    Rule("redirect", lambda a: 300 <= a.status < 400, _unavailable),
    Rule("maintenance", lambda a: a.status == 503 and a.speaks_of_maintenance, _maintenance),
    Rule("rate_limit", lambda a: a.status == 429, _rate_limited),
    Rule("server_fault", lambda a: a.status >= 500 or a.status < 200, _unavailable),
)

# A look without a token is refused, in whatever words: only somebody else says 200 and no JSON.
PROBE_RULES: tuple[Rule, ...] = (
    *OUTAGE_RULES,
    Rule("page", lambda a: a.status == 200 and a.document is None, _unavailable),
)

_BAD_REFRESH_TEXT = "the refresh token is invalid"
_BAD_REFRESH_HINTS = (
    "token has been revoked",
    "token has expired",
    "cannot decrypt the refresh token",
    "token is not linked to client",
)
_GRANT_DISABLED_HINT = "check the configuration to see if the grant is enabled"
_BAD_CODE_HINT = re.compile(
    r"authorization code|code_verifier|code verifier|issued to this client", re.IGNORECASE
)
_CONFIGURATION_ERRORS = frozenset(
    {"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
)


def _is_bad_refresh(answer: Answer) -> bool:
    """6.x says 400 ``invalid_grant``, 5.x 401 ``invalid_request`` with the same sentence."""
    if _member(answer, "error") == "invalid_grant":
        return True
    hint = _member(answer, "hint").lower()
    description = _member(answer, "error_description").lower()
    return _BAD_REFRESH_TEXT in description or hint.startswith(_BAD_REFRESH_HINTS)


def _is_bad_code(answer: Answer) -> bool:
    error = _member(answer, "error")
    if error == "invalid_grant":
        return True
    return error == "invalid_request" and _BAD_CODE_HINT.search(_member(answer, "hint")) is not None


def _is_configuration(answer: Answer) -> bool:
    """5.x words a disabled grant as ``invalid_grant``: nobody's token is bad for that."""
    if _member(answer, "error") in _CONFIGURATION_ERRORS:
        return True
    return _member(answer, "hint").lower().startswith(_GRANT_DISABLED_HINT)


_TOKEN_RULES_BEFORE: tuple[Rule, ...] = (
    *OUTAGE_RULES,
    Rule("not_json", lambda a: a.json_object is None, _unavailable),
    Rule(
        "server_error",
        lambda a: _member(a, "error") in {"server_error", "temporarily_unavailable"},
        _unavailable,
    ),
    # "Could not acquire lock": another refresh of the same token is under way.
    Rule("lock_timeout", lambda a: _member(a, "error") == "access_denied", _not_processed),
    Rule("configuration", _is_configuration, _plain(failures.UpstreamMisconfiguredError)),
)
_TOKEN_RULES_AFTER: tuple[Rule, ...] = (
    Rule(
        "request_refused",
        lambda a: _member(a, "error") == "invalid_request",
        _plain(failures.UpstreamMisconfiguredError),
    ),
    Rule(
        "unknown_answer",
        lambda a: a.status != 200 or "error" in (a.json_object or {}),
        _plain(failures.UpstreamAnswerInvalidError),
    ),
)
TOKEN_RULES: Mapping[TokenRequest, tuple[Rule, ...]] = {
    TokenRequest.CODE: (
        *_TOKEN_RULES_BEFORE,
        Rule("code_refused", _is_bad_code, _plain(failures.CodeRejectedError)),
        *_TOKEN_RULES_AFTER,
    ),
    TokenRequest.REFRESH: (
        *_TOKEN_RULES_BEFORE,
        Rule("refresh_refused", _is_bad_refresh, _plain(failures.RefreshRejectedError)),
        *_TOKEN_RULES_AFTER,
    ),
}


def token_failure(request: TokenRequest, answer: Answer) -> ServiceError | None:
    """What a token endpoint's answer is, or None for a success."""
    return first_failure(TOKEN_RULES[request], answer)


# RFC 7009 section 2.2.1, and what simple_oauth_21 sends. A site without the module has no such
# endpoint: there an access token lives to its end, and asking again would change nothing.
REVOKE_RULES: tuple[Rule, ...] = (
    *OUTAGE_RULES,
    Rule(
        "configuration",
        lambda a: a.status in {400, 401, 403} and bool(_member(a, "error")),
        _plain(failures.UpstreamMisconfiguredError),
    ),
    Rule("refused", lambda a: a.status >= 400 and a.status not in {404, 405}, _unavailable),
)


def revoke_failure(answer: Answer) -> ServiceError | None:
    """What a revocation endpoint's answer is, or None when nothing is left to do."""
    return first_failure(REVOKE_RULES, answer)


def _says_message(answer: Answer) -> bool:
    """Whether Drupal itself speaks: with ``_format=json`` its refusals are ``{"message": …}``."""
    return bool(_member(answer, "message"))


def _is_rejected_token(answer: Answer) -> bool:
    """A 401 of Drupal's bearer check. 5.x sends no challenge with it, only the message.

    A Basic challenge without that message is a proxy's door, which no refresh opens.
    """
    if answer.status != 401:
        return False
    return answer.challenge_scheme == "bearer" or _says_message(answer)


def _insufficient_scope(answer: Answer, facts: Facts) -> ServiceError:
    return failures.InsufficientUpstreamScopeError(answer.challenge_scopes, facts)


def _is_rpc(answer: Answer) -> bool:
    body = answer.json_object
    return body is not None and ("result" in body or "error" in body)


# What every protected route answers before a JSON-RPC method is reached.
PROTECTED_RULES: tuple[Rule, ...] = (
    Rule("redirect", lambda a: 300 <= a.status < 400, _unavailable),
    Rule(
        "key_unreadable",
        lambda a: a.status == 401 and a.challenge_error == "server_error",
        _not_processed,
    ),
    Rule("token_rejected", _is_rejected_token, _plain(failures.UpstreamTokenRejectedError)),
    Rule(
        "insufficient_scope",
        lambda a: a.status == 403 and a.challenge_error == "insufficient_scope",
        _insufficient_scope,
    ),
    Rule(
        "forbidden",
        lambda a: a.status == 403 and _says_message(a),
        _plain(failures.AccessForbiddenError),
    ),
    *OUTAGE_RULES[1:],
    Rule(
        "no_such_route",
        lambda a: a.status in {404, 405} and not _is_rpc(a),
        _plain(failures.UpstreamMisconfiguredError),
    ),
    Rule("not_json", lambda a: a.document is None, _unavailable),
)

_ACCESS_DENIED = re.compile(r"\s*access denied", re.IGNORECASE)
_NOT_FOUND = re.compile(r"\bnot found\b|\bdoes not exist\b", re.IGNORECASE)
_SEARCH_ENGINE = re.compile(r"solr|solarium|search[_ ]?api", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcRule:
    """One row over JSON-RPC error objects; ``None`` and empty mean any.

    ``detail`` is matched against the error's ``data``, which goes nowhere else: it holds SQL,
    paths and addresses of the site's inside.
    """

    codes: frozenset[int] = frozenset()
    executed: bool | None = None
    """Whether the method ran: Drupal answers 200 then, and 400 for what it refused before."""
    detail: re.Pattern[str] | None = None
    kind: type[ServiceError]

    def applies(self, *, code: int, executed: bool, detail: str) -> bool:
        """Whether the row is about this error."""
        if self.codes and code not in self.codes:
            return False
        if self.executed is not None and self.executed is not executed:
            return False
        return self.detail is None or self.detail.search(detail) is not None


# jsonrpc 2.0.5 words a malformed envelope as -32603 with 400: that is our fault, not the site's.
RPC_RULES: tuple[RpcRule, ...] = (
    RpcRule(codes=frozenset({-32601}), kind=failures.UpstreamMisconfiguredError),
    RpcRule(codes=frozenset({-32600}), executed=True, kind=failures.AccessForbiddenError),
    RpcRule(
        codes=frozenset({-32602}),
        executed=True,
        detail=_ACCESS_DENIED,
        kind=failures.AccessForbiddenError,
    ),
    RpcRule(
        codes=frozenset({-32602}),
        executed=True,
        detail=_NOT_FOUND,
        kind=failures.ContentNotFoundError,
    ),
    RpcRule(codes=frozenset({-32602}), kind=failures.ArgumentsRejectedError),
    RpcRule(
        codes=frozenset({-32603}),
        executed=True,
        detail=_SEARCH_ENGINE,
        kind=failures.SearchUnavailableError,
    ),
    RpcRule(codes=frozenset({-32603}), executed=True, kind=failures.UpstreamUnavailableError),
    RpcRule(
        codes=frozenset({-32700, -32600, -32603}),
        executed=False,
        kind=failures.UpstreamAnswerInvalidError,
    ),
    RpcRule(kind=failures.ArgumentsRejectedError),
)


def protected_failure(answer: Answer) -> ServiceError | None:
    """What a protected route's answer is before its JSON is looked at, or None."""
    return first_failure(PROTECTED_RULES, answer)


def rpc_failure(error: Mapping[str, Any], *, status: int) -> ServiceError:
    """What a JSON-RPC error object is (JSON-RPC 2.0 section 5.1, as Drupal uses it)."""
    code = error.get("code")
    if isinstance(code, bool) or not isinstance(code, int):
        return failures.UpstreamAnswerInvalidError({"upstream_status": status})
    data = error.get("data")
    detail = data if isinstance(data, str) else ""
    facts: Facts = {"upstream_status": status, "rpc_code": code}
    for rule in RPC_RULES:
        if rule.applies(code=code, executed=status == 200, detail=detail):
            return rule.kind(facts)
    return failures.UpstreamAnswerInvalidError(facts)
