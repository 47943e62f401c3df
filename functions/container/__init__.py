"""The same doors and schedules as processes, for teams that run containers."""
