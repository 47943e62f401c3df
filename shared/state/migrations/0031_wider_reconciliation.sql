-- The nightly comparison of changes with the audit trail, for every kind of change of which a row
-- keeps the time; and of usage with the grants and permissions that were in force.

-- As before (migration 0021), with more kinds. Only what it counts leaves it.
CREATE OR REPLACE FUNCTION app.audit_coverage(
    window_seconds double precision, lag_seconds double precision
)
RETURNS TABLE (action text, changes bigint, missing bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    WITH bounds AS (
        SELECT app.now() - make_interval(secs => lag_seconds + window_seconds) AS from_at,
               app.now() - make_interval(secs => lag_seconds) AS to_at
    ), every AS (
        SELECT 'grant:created' AS action, g.grant_id::text AS subject, g.created_at AS at
          FROM app.grants g
        UNION ALL
        SELECT 'grant:ended', g.grant_id::text, g.ended_at FROM app.grants g
         WHERE g.status = 'ended'
        UNION ALL
        -- A session ends with its grant only.
        SELECT 'grant:ended', s.grant_id::text, s.ended_at FROM app.sessions s
        UNION ALL
        SELECT 'code:redeemed', s.session_id::text, s.created_at FROM app.sessions s
        UNION ALL
        SELECT 'session:refreshed', t.session_id::text, t.issued_at FROM app.refresh_tokens t
         WHERE t.sequence > (SELECT min(f.sequence) FROM app.refresh_tokens f
                              WHERE f.session_id = t.session_id)
        UNION ALL
        SELECT 'upstream:refreshed', a.grant_id::text, a.finished_at FROM app.refresh_attempts a
         WHERE a.outcome = 'refreshed'
        UNION ALL
        SELECT 'account:signed_in', v.user_id::text, v.created_at FROM app.account_visits v
        UNION ALL
        SELECT 'client:registered', c.client_id, c.created_at FROM app.clients c
         WHERE c.kind = 'dynamic'
        UNION ALL
        SELECT 'client:blocked', c.client_id, c.blocked_at FROM app.clients c
        UNION ALL
        SELECT 'data_key:made', k.generation::text, k.created_at FROM app.data_keys k
        UNION ALL
        SELECT 'person:erasure_requested', u.user_id::text, u.erasure_requested_at
          FROM app.users u
        UNION ALL
        SELECT 'person:erased', u.user_id::text, u.erased_at FROM app.users u
        UNION ALL
        SELECT 'circuit:forced', c.dependency, c.changed_at FROM app.circuits c
         WHERE c.state IN ('forced_open', 'disabled')
    ), changed AS (
        SELECT e.* FROM every e, bounds b WHERE e.at >= b.from_at AND e.at < b.to_at
    ), told AS MATERIALIZED (
        -- An event stands in the transaction of its change: an hour apart is never.
        SELECT e.action, e.occurred_at,
               CASE WHEN e.action IN ('code:redeemed', 'session:refreshed')
                    THEN e.session_id::text
                    WHEN e.action LIKE 'client:%' THEN e.client_id
                    WHEN e.action LIKE 'person:%' OR e.action LIKE 'account:%' THEN e.user_id::text
                    WHEN e.action LIKE 'data_key:%' THEN e.details ->> 'key_generation'
                    WHEN e.action LIKE 'circuit:%' THEN e.details ->> 'dependency'
                    ELSE e.grant_id::text END AS subject
          FROM app.audit_events e, bounds b
         WHERE e.occurred_at >= b.from_at - interval '1 hour'
           AND e.occurred_at < b.to_at + interval '1 hour'
    )
    SELECT c.action, count(*), count(*) FILTER (WHERE NOT EXISTS (
               SELECT 1 FROM told t
                WHERE t.action = c.action AND t.subject = c.subject
                  AND t.occurred_at BETWEEN c.at - interval '1 hour' AND c.at + interval '1 hour'))
      FROM changed c GROUP BY c.action
$$;

-- Calls of the window that were served though, by the rows, they should not have been: no grant of
-- this person for this client was in force, or none of its sessions had the permission. A grant
-- counts for two minutes after its end: a call may have begun before, and reads are served for a
-- minute from what was just checked. permissions: the scope that each tool needs.
CREATE FUNCTION app.usage_bypasses(
    window_seconds double precision, lag_seconds double precision, permissions jsonb
)
RETURNS TABLE (calls bigint, without_grant bigint, without_permission bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    WITH served AS (
        SELECT EXISTS (
                   SELECT 1 FROM app.grants g
                    WHERE g.user_id = u.user_id AND g.client_id = u.client_id
                      AND g.created_at <= u.occurred_at
                      AND coalesce(g.ended_at, 'infinity') > u.occurred_at - interval '2 minutes'
               ) AS granted,
               permissions ->> u.tool IS NULL OR EXISTS (
                   SELECT 1 FROM app.grants g JOIN app.sessions s USING (grant_id)
                    WHERE g.user_id = u.user_id AND g.client_id = u.client_id
                      AND s.created_at <= u.occurred_at
                      AND coalesce(s.ended_at, 'infinity') > u.occurred_at - interval '2 minutes'
                      AND permissions ->> u.tool = ANY (s.scopes)
               ) AS permitted
          FROM app.usage_events u
         WHERE u.outcome = 'ok'
           AND u.occurred_at >= app.now() - make_interval(secs => lag_seconds + window_seconds)
           AND u.occurred_at < app.now() - make_interval(secs => lag_seconds)
    )
    SELECT count(*), count(*) FILTER (WHERE NOT granted),
           count(*) FILTER (WHERE granted AND NOT permitted)
      FROM served
$$;

REVOKE ALL ON FUNCTION app.usage_bypasses(double precision, double precision, jsonb) FROM PUBLIC;
