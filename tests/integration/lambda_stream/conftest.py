from tests.support.emulator_fixtures import client, emulator, pipes

__all__ = ["client", "emulator", "pipes"]
