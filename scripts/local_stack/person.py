"""The person's part of a sign-in: signs in at the site and agrees on every page that asks.

It must never sign in anywhere but at a stack on this machine.
"""

import re
from dataclasses import dataclass
from typing import Final

from scripts.local_stack.browser import BrowserError, Button, Form, Page, ScriptedBrowser

PAGES_MAX: Final = 10
_AGREES: Final = re.compile(
    r"\b(allow|grant|approve|authorize|agree|accept|continue|sign in with)\b", re.IGNORECASE
)


@dataclass
class Person:
    """Somebody with an account at the site, in front of a browser."""

    browser: ScriptedBrowser
    name: str
    password: str

    async def sign_in(self, authorization_url: str, redirect_uri: str) -> str:
        """Go from a client's authorization address through all pages back to the client.

        Returns: the address at the client that the browser was sent to.

        Raises:
            BrowserError: a page shows an error, or asks for what this person cannot answer.
        """

        def back_at_client(url: str) -> bool:
            return url.split("?", maxsplit=1)[0] == redirect_uri

        shown = await self.browser.open(authorization_url, stop_at=back_at_client)
        for _ in range(PAGES_MAX):
            if isinstance(shown, str):
                return shown
            form, fields, button = self._answer(shown)
            shown = await self.browser.submit(
                shown, form, fields, button=button, stop_at=back_at_client
            )
        raise BrowserError(f"no end of pages, last {shown!r}")

    def _answer(self, page: Page) -> tuple[Form, dict[str, str], Button]:
        for form in page.forms if page.status == 200 else []:
            if form.passwords:
                return form, self._credentials(form), form.buttons[0]
            for button in form.buttons:
                if _AGREES.search(button.text):
                    return form, {}, button
        raise BrowserError(f"{page!r} is no page to go on from: {page.title!r}: {page.text[:600]}")

    def _credentials(self, form: Form) -> dict[str, str]:
        names = [name for name in form.fields if re.search("name|user|mail", name, re.IGNORECASE)]
        if not names:
            raise BrowserError("the sign-in form has no field for a name")
        return {names[0]: self.name, form.passwords[0]: self.password}
