-- Looks whether every change of a kind that is audited has its event: changes of the window and how
-- many of them have none. Only what it counts leaves it: the cleanup may not read the trail.
CREATE FUNCTION app.audit_coverage(window_seconds double precision, lag_seconds double precision)
RETURNS TABLE (action text, changes bigint, missing bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    WITH bounds AS (
        SELECT app.now() - make_interval(secs => lag_seconds + window_seconds) AS from_at,
               app.now() - make_interval(secs => lag_seconds) AS to_at
    ), changed AS (
        SELECT 'grant:created' AS action, g.grant_id::text AS subject
          FROM app.grants g, bounds b WHERE g.created_at >= b.from_at AND g.created_at < b.to_at
        UNION ALL
        SELECT 'grant:ended', g.grant_id::text
          FROM app.grants g, bounds b
         WHERE g.status = 'ended' AND g.ended_at >= b.from_at AND g.ended_at < b.to_at
        UNION ALL
        SELECT 'code:redeemed', s.session_id::text
          FROM app.sessions s, bounds b WHERE s.created_at >= b.from_at AND s.created_at < b.to_at
        UNION ALL
        SELECT 'client:registered', c.client_id
          FROM app.clients c, bounds b
         WHERE c.kind = 'dynamic' AND c.created_at >= b.from_at AND c.created_at < b.to_at
    ), told AS (
        -- An event stands in the transaction of its change: an hour apart is never.
        SELECT e.action,
               CASE e.action WHEN 'code:redeemed' THEN e.session_id::text
                             WHEN 'client:registered' THEN e.client_id
                             ELSE e.grant_id::text END AS subject
          FROM app.audit_events e, bounds b
         WHERE e.occurred_at >= b.from_at - interval '1 hour'
           AND e.occurred_at < b.to_at + interval '1 hour'
           AND e.action IN ('grant:created', 'grant:ended', 'code:redeemed', 'client:registered')
    )
    SELECT c.action, count(*), count(*) FILTER (WHERE NOT EXISTS (
               SELECT 1 FROM told t WHERE t.action = c.action AND t.subject = c.subject))
      FROM changed c GROUP BY c.action
$$;

REVOKE ALL ON FUNCTION app.audit_coverage(double precision, double precision) FROM PUBLIC;
