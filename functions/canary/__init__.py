"""The canary: asks every minute, from outside, what clients ask, and tries what must be refused."""
