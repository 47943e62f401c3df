"""Which scope a call needs, by the name under which usage holds it.

The tools say it themselves; this is for whoever looks at usage later, and a test compares both.
"""

from collections.abc import Mapping
from typing import Final

from shared.domain.scopes import Scope

TOOL_SCOPES: Final[Mapping[str, Scope]] = {
    "search_tutorials": Scope.SEARCH,
    "get_tutorial": Scope.READ,
    "search": Scope.SEARCH,
    "fetch": Scope.READ,
    "read_resource": Scope.READ,
    "site_tool": Scope.SITE_TOOLS,
}
"""What is not here needs a grant, and no scope."""
