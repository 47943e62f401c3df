"""The site's OAuth server: one file per endpoint."""
