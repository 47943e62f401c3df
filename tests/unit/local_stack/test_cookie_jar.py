"""Cookies as browsers keep them, where httpx's own jar differs."""

from scripts.local_stack.browser import CookieJar

HOST = "localhost"


def test_a_secure_host_cookie_is_sent_on_plain_http_to_loopback() -> None:
    jar = CookieJar()
    jar.take(HOST, "__Host-browser=b; Path=/; Secure; HttpOnly; SameSite=Lax")

    assert jar.header(HOST) == "__Host-browser=b"


def test_a_host_cookie_without_its_conditions_is_refused() -> None:
    jar = CookieJar()
    jar.take(HOST, "__Host-a=1; Path=/")
    jar.take(HOST, "__Host-b=1; Path=/oauth; Secure")
    jar.take(HOST, "__Host-c=1; Path=/; Secure; Domain=localhost")

    assert jar.names(HOST) == set()


def test_a_cookie_is_not_sent_to_another_host() -> None:
    jar = CookieJar()
    jar.take("127.0.0.2", "session=s; Path=/")

    assert jar.header(HOST) == ""


def test_a_cookie_is_deleted_by_its_age_or_by_a_date_long_gone() -> None:
    jar = CookieJar()
    for deletion in ("Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"):
        jar.take(HOST, "kept=1; Path=/")
        jar.take(HOST, f"kept=x; Path=/; {deletion}")

        assert jar.names(HOST) == set()
