"""The schedule that refreshes upstream pairs before they expire."""
