"""The official MCP conformance suite and MCP Inspector, run against this server."""
