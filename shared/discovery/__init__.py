"""The metadata documents that both web doors serve, without any dependency."""
