"""The resource server: accepts our access tokens and serves tools over MCP."""
