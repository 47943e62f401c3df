"""The account page without a screen: a person opens it and presses buttons."""

from dataclasses import dataclass
from typing import Self

from scripts.local_stack.browser import Page
from scripts.local_stack.person import Person
from tests.journeys.world import World


@dataclass
class AccountPage:
    """The page of somebody who is signed in to it."""

    person: Person
    shown: Page

    @classmethod
    async def opened(cls, world: World, person: Person) -> Self:
        """The page, after signing in to it."""
        address = f"{world.stack.addresses.issuer_url}/account"
        assert await person.sign_in(address, address) == address
        page = await person.browser.open(address)
        assert isinstance(page, Page)
        return cls(person, page)

    async def press(self, label: str) -> str:
        """Press the button whose text begins so; what the page says then."""
        form, button = next(
            (form, button)
            for form in self.shown.forms
            for button in form.buttons
            if button.text.startswith(label)
        )
        page = await self.person.browser.submit(self.shown, form, button=button)
        assert isinstance(page, Page)
        self.shown = page
        return page.text
