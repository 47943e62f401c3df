-- When pairs are refreshed: kept alive before Drupal forgets them, and no more at once than a site
-- can bear.

ALTER TABLE app.grants ADD COLUMN keep_alive_at timestamptz;
ALTER TABLE app.grants ALTER COLUMN keep_alive_at SET DEFAULT app.now() + interval '7 days';
-- Spread, so that the grants of before are not due together.
UPDATE app.grants SET keep_alive_at = app.now() + random() * interval '7 days'
 WHERE status <> 'ended';
CREATE INDEX grants_keep_alive ON app.grants (keep_alive_at) WHERE status <> 'ended';

-- A token bucket for each site. After a crash of Postgres it is empty, which means full.
CREATE UNLOGGED TABLE app.refresh_allowances (
    site text PRIMARY KEY,
    tokens double precision NOT NULL,
    filled_at timestamptz NOT NULL DEFAULT app.now()
);
