"""Titles and next steps of the error pages; the sentence between them is the catalogue's.

Nothing here repeats what a request contained.
"""

from dataclasses import dataclass

from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.errors.entries import Guidance


@dataclass(frozen=True, slots=True)
class PageText:
    """The heading of an error page and what the person can do."""

    title: str
    steps: tuple[str, ...]


_OPEN_AGAIN = "Open the page with your connected applications again and sign in."
_START_AGAIN = "Go back to your application and connect again from there."
_RECONNECT = "Remove the connection in your application, then add it again."

_TEXTS: dict[ErrorCode, PageText] = {
    ErrorCode.SIGN_IN_EXPIRED: PageText(
        "This sign-in is no longer open",
        (
            "If your application already shows the connection, there is nothing left to do.",
            "Otherwise go back to it and connect again. A sign-in stays open for ten minutes.",
        ),
    ),
    ErrorCode.SIGN_IN_OTHER_BROWSER: PageText(
        "Please use one browser for the whole sign-in",
        (
            _START_AGAIN,
            "Stay in the browser window that opens, and allow cookies for this page.",
            "If somebody sent you this link, close the page: it belongs to their sign-in.",
        ),
    ),
    ErrorCode.SIGN_IN_REFUSED_UPSTREAM: PageText(
        "The sign-in was not completed",
        (_START_AGAIN, "If it happens again, check that you can sign in on the site itself."),
    ),
    ErrorCode.UNKNOWN_CLIENT: PageText(
        "This application is not registered here",
        (
            f"{_RECONNECT} It may have waited for more than a day.",
            "If you followed a link from somebody else, close this page.",
        ),
    ),
    ErrorCode.CLIENT_BLOCKED: PageText(
        "This application is blocked here",
        (
            "If you followed a link from somebody else, close this page.",
            "Otherwise use another application, and ask support why this one is blocked.",
        ),
    ),
    ErrorCode.CLIENT_DOCUMENT_INVALID: PageText(
        "This application cannot be recognised",
        (
            "If you followed a link from somebody else, close this page.",
            "Otherwise tell the makers of the application: only they can mend it.",
        ),
    ),
    ErrorCode.CLIENT_DOCUMENT_UNAVAILABLE: PageText(
        "The application cannot be recognised right now",
        (
            "Wait a minute, then connect again from your application.",
            "Connections that you have already keep working.",
        ),
    ),
    ErrorCode.INVALID_REDIRECT_URI: PageText(
        "This sign-in would lead to an unknown address",
        (_RECONNECT, "If you followed a link from somebody else, close this page."),
    ),
    ErrorCode.TOO_MANY_REQUESTS: PageText(
        "That was too much at once",
        (
            "Wait a minute.",
            _START_AGAIN,
            "If you did not do much, others in your network did: it will pass by itself.",
        ),
    ),
    ErrorCode.ACCOUNT_SIGN_IN_EXPIRED: PageText(
        "This sign-in is no longer open",
        (
            _OPEN_AGAIN,
            "Stay in one browser, and allow cookies for this page.",
            "A sign-in stays open for ten minutes.",
        ),
    ),
    ErrorCode.ACCOUNT_SIGN_IN_REFUSED: PageText(
        "You are not signed in",
        (_OPEN_AGAIN, "If it happens again, check that you can sign in on the site itself."),
    ),
    ErrorCode.ACCOUNT_FORM_EXPIRED: PageText(
        "Please sign in again",
        (_OPEN_AGAIN, "Then repeat what you were about to do."),
    ),
    ErrorCode.INTERNAL_ERROR: PageText(
        "Something went wrong", (_START_AGAIN, "If it happens again, tell support.")
    ),
}
_UNAVAILABLE = PageText(
    "Sign-in is not available right now",
    ("Wait a minute.", "Then start again from your application; reloading this page may not help."),
)
_AT_ACCOUNT_UNAVAILABLE = PageText(
    "This page is not available right now", ("Wait a minute.", _OPEN_AGAIN)
)
_AT_ACCOUNT_TOO_MUCH = PageText(
    "That was too much at once",
    (
        "Wait a minute.",
        _OPEN_AGAIN,
        "If you did not do much, others in your network did: it will pass by itself.",
    ),
)
_AT_ACCOUNT_FAILED = PageText(
    "Something went wrong", (_OPEN_AGAIN, "If it happens again, tell support.")
)
_AT_ACCOUNT_OTHER = PageText("This page cannot continue", (_OPEN_AGAIN,))
_OF_ACCOUNT = frozenset(
    {
        ErrorCode.ACCOUNT_SIGN_IN_EXPIRED,
        ErrorCode.ACCOUNT_SIGN_IN_REFUSED,
        ErrorCode.ACCOUNT_FORM_EXPIRED,
    }
)
_OTHER = PageText("This page cannot continue", (_START_AGAIN,))


def text_of(error: ServiceError, *, at_account: bool = False) -> PageText:
    """The words around the catalogue's sentence for ``error``.

    A person ``at_account``'s page has no application to go back to.
    """
    if at_account and error.code not in _OF_ACCOUNT:
        return _at_account(error)
    passing = error.entry.guidance is Guidance.RETRY_LATER
    return _TEXTS.get(error.code, _UNAVAILABLE if passing else _OTHER)


def _at_account(error: ServiceError) -> PageText:
    if error.code is ErrorCode.TOO_MANY_REQUESTS:
        return _AT_ACCOUNT_TOO_MUCH
    if error.entry.guidance is Guidance.RETRY_LATER:
        return _AT_ACCOUNT_UNAVAILABLE
    return _AT_ACCOUNT_FAILED if error.code is ErrorCode.INTERNAL_ERROR else _AT_ACCOUNT_OTHER
