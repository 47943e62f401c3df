"""The composed MCP endpoint: many calls in one environment, and a Postgres that dies or is full."""
