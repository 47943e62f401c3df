"""Documents by which clients describe themselves, fetched from hosts that strangers chose."""
