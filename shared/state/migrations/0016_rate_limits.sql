-- Rate limits: for each rule and subject the moment from which on nothing of it is used (GCRA).

-- Unlogged: taken on many requests, and after a crash everybody may start afresh. Neither backups
-- nor standbys hold it. Without a second index an update stays within its page.
CREATE UNLOGGED TABLE app.rate_limits (
    -- A digest of rule and subject: no address stands here in the clear.
    key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    full_at timestamptz NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);

-- Takes one from an allowance of `burst` that gets one back every `seconds_each`. Answers the
-- seconds to wait until there is one again; 0 when it was taken. A refused one changes no row.
CREATE FUNCTION app.take_from_limit(
    key bytea, burst integer, seconds_each double precision
) RETURNS double precision
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    each interval := make_interval(secs => take_from_limit.seconds_each);
    latest timestamptz := app.now() + take_from_limit.burst * each;
    used_until timestamptz;
BEGIN
    INSERT INTO app.rate_limits AS l (key, full_at)
    VALUES (take_from_limit.key, app.now() + each)
    ON CONFLICT ON CONSTRAINT rate_limits_pkey DO UPDATE
       SET full_at = greatest(l.full_at, app.now()) + each
     WHERE greatest(l.full_at, app.now()) + each <= latest;
    IF FOUND THEN
        RETURN 0;
    END IF;
    SELECT l.full_at INTO used_until FROM app.rate_limits l WHERE l.key = take_from_limit.key;
    -- Whoever comes at the last moment, or after a cleanup, waits for a moment only.
    RETURN greatest(coalesce(extract(epoch FROM used_until + each - latest), 0), 0.001);
END
$$;

REVOKE ALL ON FUNCTION app.take_from_limit(bytea, integer, double precision) FROM PUBLIC;
