"""Functions that tests run in real environments of the emulator."""
