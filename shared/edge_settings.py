"""The setting of both doors behind an edge; what the edge is, docs/edge.md says."""

from pydantic import Field, SecretStr

from shared.settings_group import SettingsGroup


class EdgeSettings(SettingsGroup):
    """What proves an edge in front of a door."""

    origin_secret: SecretStr | None = Field(
        default=None,
        description="What the edge sends as `x-origin-secret`, so that its word on the caller's "
        "address counts; a former one may follow after a space. Empty: no edge.",
    )

    def origin_secrets(self) -> list[str]:
        """The secret of today, and the former one while it changes."""
        return self.origin_secret.get_secret_value().split() if self.origin_secret else []
