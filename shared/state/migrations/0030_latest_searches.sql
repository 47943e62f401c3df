-- A reading is looked for in the person's latest searches only, by their index.
CREATE OR REPLACE FUNCTION app.close_call(
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
    ), latest AS (
        -- So many at most, newest first: what somebody searches without end costs a reading nothing.
        SELECT s.search_id, s.shown_at, s.first_rank, s.content_ids
          FROM app.searches_shown s
         WHERE s.user_id = (SELECT o.user_id FROM owner o)
           AND s.shown_at > app.now() - make_interval(secs => close_call.chosen_within_seconds)
           AND (close_call.usage ->> 'content_id') IS NOT NULL
         ORDER BY s.shown_at DESC LIMIT 20
    ), chosen AS (
        SELECT s.search_id,
               s.first_rank + array_position(s.content_ids, told.content_id) - 1 AS search_rank
          FROM told, latest s
         WHERE NOT told.continues AND told.content_id = ANY (s.content_ids)
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
