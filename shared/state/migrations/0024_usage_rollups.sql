-- Roll-ups of usage: counts by hour and by day (UTC), which outlive the rows of people and hold
-- nobody. Written by the cleanup alone (shared/state/usage_rollups.py), hour by hour and day by day,
-- each whole in one transaction.

-- Which hours and days are rolled up, when, and of how many rows.
CREATE TABLE app.usage_rolled (
    grain text NOT NULL CHECK (grain IN ('hour', 'day')),
    starts_at timestamptz NOT NULL,
    rolled_at timestamptz NOT NULL DEFAULT app.now(),
    events bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (grain, starts_at)
);

CREATE TABLE app.usage_hours (
    starts_at timestamptz NOT NULL,
    tool text NOT NULL,
    client_family text NOT NULL,
    outcome text NOT NULL,
    calls bigint NOT NULL,
    milliseconds bigint NOT NULL,
    -- Answered searches, without further pages of them; those that found nothing.
    searches bigint NOT NULL,
    empty_searches bigint NOT NULL,
    -- Pages with results, and those from which something was read.
    pages_found bigint NOT NULL,
    pages_chosen bigint NOT NULL,
    -- Readings, without next parts; those that the site refused.
    readings bigint NOT NULL,
    refused_readings bigint NOT NULL,
    -- Readings chosen from a search, and the sum of their ranks.
    ranked_readings bigint NOT NULL,
    ranks_total bigint NOT NULL,
    PRIMARY KEY (starts_at, tool, client_family, outcome)
);

-- The same by day; ``day`` is the day's first moment in UTC.
CREATE TABLE app.usage_days (
    LIKE app.usage_hours INCLUDING CONSTRAINTS
);
ALTER TABLE app.usage_days RENAME COLUMN starts_at TO day;
ALTER TABLE app.usage_days ADD PRIMARY KEY (day, tool, client_family, outcome);

-- People active in the days that end with this one. Segments of too few people say null.
CREATE TABLE app.usage_day_people (
    day timestamptz NOT NULL,
    window_days integer NOT NULL,
    segment text NOT NULL,
    people bigint,
    -- Of them, those seen in the weeks before the window.
    returning_people bigint,
    PRIMARY KEY (day, window_days, segment)
);

-- Usage by what was observed of memberships.
CREATE TABLE app.usage_day_access (
    day timestamptz NOT NULL,
    access text NOT NULL CHECK (access IN ('member', 'free', 'unknown', 'no_scope')),
    people bigint,
    calls bigint NOT NULL,
    readings bigint NOT NULL,
    refused_readings bigint NOT NULL,
    PRIMARY KEY (day, access)
);

-- The most read of a day; all others together under the empty id.
CREATE TABLE app.usage_day_content (
    day timestamptz NOT NULL,
    content_id text NOT NULL,
    readings bigint NOT NULL,
    refused_readings bigint NOT NULL,
    ranked_readings bigint NOT NULL,
    ranks_total bigint NOT NULL,
    PRIMARY KEY (day, content_id)
);

-- Queries that several people have asked; all others together under the empty one.
CREATE TABLE app.usage_day_queries (
    day timestamptz NOT NULL,
    query text NOT NULL,
    searches bigint NOT NULL,
    empty_searches bigint NOT NULL,
    pages_found bigint NOT NULL,
    pages_chosen bigint NOT NULL,
    PRIMARY KEY (day, query)
);
