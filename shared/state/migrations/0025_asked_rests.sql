-- A dependency that asks for a rest (Retry-After) gets it, up to a cap of its own: what was asked
-- for comes with the terms of a report. Terms of code before this name none.
CREATE OR REPLACE FUNCTION app.circuit_open_seconds(openings integer, terms jsonb) RETURNS interval
LANGUAGE sql VOLATILE SET search_path = app, pg_temp AS $$
    SELECT make_interval(secs => greatest(
        least(
            (terms->>'open_seconds_max')::double precision,
            (terms->>'open_seconds')::double precision * 2.0 ^ least(openings, 8)
                * (1 + (terms->>'jitter_share')::double precision * (2 * random() - 1))),
        least(
            (terms->>'asked_seconds_max')::double precision,
            coalesce((terms->>'asked_wait_seconds')::double precision, 0.0))))
$$;
