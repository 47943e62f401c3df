"""Messages to the background refresher, and the store that outlives Postgres; the SDK for both."""
