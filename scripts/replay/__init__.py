"""Sends every event of ``events/`` to the built artifacts, on our emulator and on AWS's own."""
