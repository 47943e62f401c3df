"""What a person reads when the stack is up: where everything is and how to connect a client."""

from typing import Any

_NAME = "drupalize-local"


def announcement(about: dict[str, Any], data_dir: str) -> str:
    """The text, from what `stack.json` says."""
    dialect = about["drupal_dialect"]
    site = f"fake, simple_oauth {dialect}" if dialect else "real"
    versions = f"Python {about['python']}, Postgres {about['postgres_version']}"
    lines = [
        "",
        f"drupalize-mcp runs on this machine ({versions}, Drupal: {site})",
        "",
        f"  MCP endpoint          {about['mcp_url']}",
        f"  Authorization server  {about['issuer_url']}",
        f"  Drupal                {about['drupal_url']}",
    ]
    if about.get("dev_url"):
        lines.append(f"  What happens inside   {about['dev_url']}")
    if about["drupal_control_url"]:
        lines.append(f"  Drupal's switches     {about['drupal_control_url']}")
    for number, person in enumerate(about["people"]):
        heading = "People (password)" if number == 0 else ""
        roles = ", ".join(person["roles"]) or "no membership"
        lines.append(f"  {heading:20}  {person['name']} ({person['password']}): {roles}")
    if not dialect:
        lines += ["", f"  Allow this redirect at the site: {about['issuer_url']}/oauth/callback"]
    lines += [
        "",
        "  Add it to a client:",
        f"    claude mcp add --transport http {_NAME} {about['mcp_url']}",
        f"    any other: Streamable HTTP at {about['mcp_url']}; it finds the sign-in by itself",
        "",
        f"  Data and details      {data_dir} (logs/, stack.json); kept until --fresh",
        "  Ctrl-C ends it.",
    ]
    return "\n".join(lines)
