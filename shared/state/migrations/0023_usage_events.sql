-- What a call tells about searching, reading and membership.

-- The query is normalised and holds nothing personal (shared/domain/usage.py). A reading that was
-- chosen from a search's results names the search and the place in its results, from 1.
ALTER TABLE app.usage_events
    ADD COLUMN client_family text NOT NULL DEFAULT 'other' CHECK (length(client_family) <= 32),
    ADD COLUMN query text CHECK (length(query) <= 200),
    ADD COLUMN first_rank integer CHECK (first_rank > 0),
    ADD COLUMN continues boolean NOT NULL DEFAULT false,
    ADD COLUMN entitlement text NOT NULL DEFAULT 'unasked'
        CHECK (entitlement IN ('allowed', 'refused', 'unasked')),
    ADD COLUMN may_read boolean NOT NULL DEFAULT false,
    ADD COLUMN search_id uuid,
    ADD COLUMN search_rank integer CHECK (search_rank > 0);

-- What people have found in the last minutes, so that a reading can be told from which search it
-- was chosen. Unlogged: after a crash of Postgres some readings count as not chosen from a search.
CREATE UNLOGGED TABLE app.searches_shown (
    search_id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    shown_at timestamptz NOT NULL DEFAULT app.now(),
    first_rank integer NOT NULL,
    content_ids text[] NOT NULL CHECK (cardinality(content_ids) BETWEEN 1 AND 50)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX searches_shown_of_person ON app.searches_shown (user_id, shown_at);
CREATE INDEX searches_shown_since ON app.searches_shown (shown_at);

-- What the site calls its content, so that a report need not ask the site.
CREATE TABLE app.content_titles (
    content_id text PRIMARY KEY,
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
    seen_at timestamptz NOT NULL DEFAULT app.now()
);

-- Written when a call has ended: the usage row, what a search found, and that the person was here.
-- The function of the same name before it stays for the code before this.
CREATE FUNCTION app.close_call(
    event_id uuid, grant_id uuid, usage jsonb, chosen_within_seconds double precision
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    WITH seen AS (
        UPDATE app.grants g SET last_used_at = app.now()
         WHERE g.grant_id = close_call.grant_id
           AND g.last_used_at < app.now() - interval '5 minutes'
    ), owner AS (
        SELECT g.user_id, g.client_id, g.client_family
          FROM app.grants g WHERE g.grant_id = close_call.grant_id
    ), told AS (
        SELECT u.* FROM jsonb_to_record(close_call.usage) AS u(
            tool text, outcome text, content_id text, result_count integer,
            duration_milliseconds integer, content_title text, continues boolean, entitlement text, may_read boolean,
            query text, first_rank integer, content_ids text[])
    ), titled AS (
        -- Seldom: readers of the same content must not wait for each other.
        INSERT INTO app.content_titles AS t (content_id, title)
        SELECT told.content_id, told.content_title FROM told
         WHERE told.content_id IS NOT NULL AND told.content_title <> ''
           AND NOT EXISTS (SELECT 1 FROM app.content_titles k
                            WHERE k.content_id = told.content_id AND k.title = told.content_title
                              AND k.seen_at > app.now() - interval '1 day')
        ON CONFLICT (content_id) DO UPDATE SET title = EXCLUDED.title, seen_at = EXCLUDED.seen_at
    ), found AS (
        INSERT INTO app.searches_shown (search_id, user_id, first_rank, content_ids)
        SELECT close_call.event_id, owner.user_id, told.first_rank, told.content_ids
          FROM owner, told WHERE cardinality(told.content_ids) > 0
    ), chosen AS (
        SELECT s.search_id,
               s.first_rank + array_position(s.content_ids, told.content_id) - 1 AS search_rank
          FROM told, owner JOIN app.searches_shown s ON s.user_id = owner.user_id
         WHERE NOT told.continues AND told.content_id = ANY (s.content_ids)
           AND s.shown_at > app.now() - make_interval(secs => close_call.chosen_within_seconds)
         ORDER BY s.shown_at DESC LIMIT 1
    )
    INSERT INTO app.usage_events
        (event_id, user_id, client_id, client_family, tool, outcome, content_id, result_count,
         duration_milliseconds, query, first_rank, continues, entitlement, may_read,
         search_id, search_rank)
    SELECT close_call.event_id, owner.user_id, owner.client_id, owner.client_family, told.tool,
           told.outcome, told.content_id, told.result_count, told.duration_milliseconds,
           told.query, told.first_rank, told.continues, told.entitlement, told.may_read,
           chosen.search_id, chosen.search_rank
      FROM owner CROSS JOIN told LEFT JOIN chosen ON true
$$;

REVOKE ALL ON FUNCTION app.close_call(uuid, uuid, jsonb, double precision) FROM PUBLIC;
