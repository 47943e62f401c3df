"""Only where the run goes through PgBouncer: `scripts/through_pgbouncer scripts/test ...`."""

from scripts.local_stack.pgbouncer import is_wanted

collect_ignore_glob = [] if is_wanted() else ["test_*.py"]
