"""What the placeholders of the events stand for, once somebody has signed in."""

from scripts.fake_drupal.accounts import MEMBER
from scripts.local_stack.browser import ScriptedBrowser
from scripts.local_stack.client import REDIRECT_URI, ClientMemory, connected_client
from scripts.local_stack.person import Person
from scripts.local_stack.stack import Stack


async def placeholder_values(stack: Stack) -> dict[str, str]:
    """Sign a member in with a scripted client; a value for every placeholder.

    Raises:
        RuntimeError: the client was not asked to sign in.
    """
    memory = ClientMemory()
    async with ScriptedBrowser() as browser:
        person = Person(browser, MEMBER.name, MEMBER.password)
        async with connected_client(stack.addresses.mcp_url, person, memory):
            pass
    if memory.tokens is None or memory.registration is None:
        raise RuntimeError("the scripted client was not asked to sign in")
    return {
        "ACCESS_TOKEN": memory.tokens.access_token,
        "REFRESH_TOKEN": str(memory.tokens.refresh_token),
        "CLIENT_ID": str(memory.registration.client_id),
        "REDIRECT_URI": REDIRECT_URI,
        "ISSUER_URL": stack.addresses.issuer_url,
        "MCP_URL": stack.addresses.mcp_url,
    }
