"""Titles and next steps of the error pages; the sentence between them is the catalogue's.

Nothing here repeats what a request contained.
"""

from dataclasses import dataclass

from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode, Guidance


@dataclass(frozen=True, slots=True)
class PageText:
    """The heading of an error page and what the person can do."""

    title: str
    steps: tuple[str, ...]


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
        (_RECONNECT, "Registrations that nobody used within a day are removed."),
    ),
    ErrorCode.INVALID_REDIRECT_URI: PageText(
        "This sign-in would lead to an unknown address",
        (_RECONNECT, "If you followed a link from somebody else, close this page."),
    ),
    ErrorCode.INTERNAL_ERROR: PageText(
        "Something went wrong", (_START_AGAIN, "If it happens again, tell support.")
    ),
}
_UNAVAILABLE = PageText(
    "Sign-in is not available right now",
    ("Wait a minute.", "Then start again from your application; reloading this page may not help."),
)
_OTHER = PageText("This page cannot continue", (_START_AGAIN,))


def text_of(error: ServiceError) -> PageText:
    """The words around the catalogue's sentence for ``error``."""
    if error.entry.guidance is Guidance.RETRY_LATER:
        return _UNAVAILABLE
    return _TEXTS.get(error.code, _OTHER)
