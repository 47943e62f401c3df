-- Isolation: how many calls of a person run at once.

-- Unlogged: after a crash of Postgres nobody has a call under way.
CREATE UNLOGGED TABLE app.calls_in_flight (
    user_id uuid NOT NULL,
    slot integer NOT NULL,
    call_id uuid NOT NULL,
    -- A call whose environment died never says that it has ended.
    ends_by timestamptz NOT NULL,
    PRIMARY KEY (user_id, slot)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX calls_in_flight_ends ON app.calls_in_flight (ends_by);

-- Takes a free slot of the person's, or says that there is none.
CREATE FUNCTION app.take_call_slot(
    caller uuid, new_call uuid, slots integer, lasts_seconds double precision
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    candidate integer;
BEGIN
    -- In one order for everybody, because a slot that is not free stays locked until the end.
    FOR candidate IN
        SELECT n FROM generate_series(1, slots) AS n
         WHERE NOT EXISTS (SELECT 1 FROM app.calls_in_flight f
                            WHERE f.user_id = caller AND f.slot = n AND f.ends_by > app.now())
         ORDER BY n
    LOOP
        INSERT INTO app.calls_in_flight AS f (user_id, slot, call_id, ends_by)
        VALUES (caller, candidate, new_call, app.now() + lasts_seconds * interval '1 second')
        ON CONFLICT (user_id, slot) DO UPDATE
           SET call_id = EXCLUDED.call_id, ends_by = EXCLUDED.ends_by
         WHERE f.ends_by <= app.now();
        IF FOUND THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

-- Lets a call in, or says what stands against it. No row for a caller of null: nobody is there.
-- The rate comes first: who keeps asking beyond it writes nothing.
CREATE FUNCTION app.admit_call(
    caller uuid, new_call uuid, limit_name text, burst integer, seconds_each double precision,
    slots integer, lasts_seconds double precision
) RETURNS TABLE (refusal text, wait_seconds double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    IF caller IS NULL THEN
        RETURN;
    END IF;
    -- The key is that of shared/state/rate_limits.py.
    wait_seconds := app.take_from_limit(
        sha256(convert_to(limit_name || E'\n' || caller, 'UTF8')), burst, seconds_each);
    IF wait_seconds > 0 THEN
        refusal := 'rate';
    ELSIF NOT app.take_call_slot(caller, new_call, slots, lasts_seconds) THEN
        refusal := 'in_flight';
    END IF;
    RETURN NEXT;
END $$;

-- A call has ended: its slot is free.
CREATE FUNCTION app.end_call(caller uuid, ended_call uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    DELETE FROM app.calls_in_flight f
     WHERE f.user_id = end_call.caller AND f.call_id = end_call.ended_call
$$;

REVOKE ALL ON FUNCTION app.take_call_slot(uuid, uuid, integer, double precision) FROM PUBLIC;
REVOKE ALL ON FUNCTION
    app.admit_call(uuid, uuid, text, integer, double precision, integer, double precision) FROM PUBLIC;
REVOKE ALL ON FUNCTION app.end_call(uuid, uuid) FROM PUBLIC;
