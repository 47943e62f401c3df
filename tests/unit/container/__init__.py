"""The doors and schedules as processes."""
