"""The whole product on one machine, on embedded parts."""
