-- Circuits of what all environments depend on, shared by them.
--
-- `circuits` has one row for each dependency that ever had trouble, written when a state changes. It
-- is a logged table: what an operator has forced must outlive a crash of the server. The counters
-- need not.

CREATE TABLE app.circuits (
    dependency text PRIMARY KEY
        CHECK (dependency IN ('drupal_rpc', 'drupal_oauth', 'drupal_search', 'postgres', 'kms')),
    state text NOT NULL DEFAULT 'closed'
        CHECK (state IN ('closed', 'open', 'forced_open', 'disabled')),
    -- Moves on at every change, so that an old word is told from a new one.
    version bigint NOT NULL DEFAULT 0,
    -- Times in a row that it has opened.
    openings integer NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT '-infinity',
    open_until timestamptz NOT NULL DEFAULT '-infinity',
    probe_owner uuid,
    probe_until timestamptz NOT NULL DEFAULT '-infinity',
    -- Forced open it could not be read any more, and so never be closed again.
    CHECK (NOT (dependency = 'postgres' AND state = 'forced_open'))
);

-- Calls by the second, in a ring of 64 slots: it never grows, and nothing has to be deleted.
CREATE UNLOGGED TABLE app.circuit_calls (
    dependency text NOT NULL,
    slot smallint NOT NULL CHECK (slot BETWEEN 0 AND 63),
    second bigint NOT NULL,
    calls integer NOT NULL,
    failures integer NOT NULL,
    PRIMARY KEY (dependency, slot)
);

-- All circuits that are not simply closed, with durations instead of times: the clocks of the
-- environments are their own. Null when there is nothing to say.
CREATE FUNCTION app.circuit_view() RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    SELECT json_object_agg(dependency, json_build_object(
               'state', state,
               'version', version,
               'openings', openings,
               'open_for_seconds', greatest(
                   0.0,
                   CASE WHEN state = 'open' THEN extract(epoch FROM open_until - app.now()) END,
                   CASE WHEN probe_until > app.now() THEN 1.0 END),
               'recovering_for_seconds',
                   CASE WHEN state = 'closed' THEN extract(epoch FROM app.now() - changed_at) END))
      FROM app.circuits
     WHERE state <> 'closed' OR changed_at > app.now() - interval '60 seconds'
$$;

-- How long a circuit stays open the next time, `openings` in a row having come before.
CREATE FUNCTION app.circuit_open_seconds(openings integer, terms jsonb) RETURNS interval
LANGUAGE sql VOLATILE SET search_path = app, pg_temp AS $$
    SELECT make_interval(secs => least(
        (terms->>'open_seconds_max')::double precision,
        (terms->>'open_seconds')::double precision * 2.0 ^ least(openings, 8)
            * (1 + (terms->>'jitter_share')::double precision * (2 * random() - 1))))
$$;

-- What an environment has seen since its last report; opens the circuit when that was enough.
CREATE FUNCTION app.report_calls(
    reported_dependency text, new_calls integer, new_failures integer, terms jsonb
) RETURNS json
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    this_second bigint := floor(extract(epoch FROM app.now()));
    enough boolean;
BEGIN
    INSERT INTO app.circuit_calls AS c (dependency, slot, second, calls, failures)
    VALUES (reported_dependency, this_second % 64, this_second, new_calls, new_failures)
    ON CONFLICT (dependency, slot) DO UPDATE
       SET calls = EXCLUDED.calls + CASE WHEN c.second = EXCLUDED.second THEN c.calls ELSE 0 END,
           failures = EXCLUDED.failures
               + CASE WHEN c.second = EXCLUDED.second THEN c.failures ELSE 0 END,
           second = EXCLUDED.second;
    IF new_failures > 0 THEN
        INSERT INTO app.circuits (dependency) VALUES (reported_dependency) ON CONFLICT DO NOTHING;
        -- Only what was seen since the last change: an outage that is over opens nothing.
        SELECT bool_or(w.failures >= (terms->>'failures_min')::integer
                       AND w.failures >= (terms->>'failure_share')::double precision * w.calls)
          INTO enough
          FROM (SELECT sum(k.failures) AS failures, sum(k.calls) AS calls
                  FROM app.circuits s
                  CROSS JOIN (VALUES ((terms->>'short_window_seconds')::integer),
                                     ((terms->>'long_window_seconds')::integer)) AS v (seconds)
                  JOIN app.circuit_calls k
                    ON k.dependency = s.dependency
                   AND k.second > this_second - v.seconds
                   AND to_timestamp(k.second) > s.changed_at
                 WHERE s.dependency = reported_dependency AND s.state = 'closed'
                 GROUP BY v.seconds) AS w;
        IF enough THEN
            UPDATE app.circuits c
               SET state = 'open', version = c.version + 1, changed_at = app.now(),
                   openings = 1 + f.before, probe_owner = NULL, probe_until = '-infinity',
                   open_until = app.now() + app.circuit_open_seconds(f.before, terms)
              FROM (SELECT CASE WHEN changed_at + make_interval(
                                         secs => (terms->>'ramp_seconds')::double precision)
                                     > app.now() THEN openings ELSE 0 END AS before
                      FROM app.circuits
                     WHERE dependency = reported_dependency AND state = 'closed'
                       FOR NO KEY UPDATE) AS f
             WHERE c.dependency = reported_dependency AND c.state = 'closed';
        END IF;
    END IF;
    RETURN app.circuit_view();
END
$$;

-- Lets one environment try the dependency for all: granted, taken by another, or too early.
CREATE FUNCTION app.claim_probe(
    claimed_dependency text, owner uuid, probe_seconds double precision
) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    INSERT INTO app.circuits (dependency) VALUES (claimed_dependency) ON CONFLICT DO NOTHING;
    UPDATE app.circuits
       SET probe_owner = owner, probe_until = app.now() + make_interval(secs => probe_seconds)
     WHERE dependency = claimed_dependency
       AND probe_until <= app.now()
       AND (state = 'closed' OR (state = 'open' AND open_until <= app.now()));
    IF FOUND THEN
        RETURN 'granted';
    END IF;
    RETURN (SELECT CASE WHEN probe_until > app.now() THEN 'taken' ELSE 'too_early' END
              FROM app.circuits WHERE dependency = claimed_dependency);
END
$$;

-- The end of a probe: `succeeded` closes, `failed` opens for longer, `silent` makes room.
-- Nothing happens if the probe is another's by now.
CREATE FUNCTION app.end_probe(
    probed_dependency text, owner uuid, outcome text, terms jsonb
) RETURNS json
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    UPDATE app.circuits
       SET probe_owner = NULL, probe_until = '-infinity',
           state = CASE WHEN state = 'open' AND outcome = 'succeeded' THEN 'closed' ELSE state END,
           changed_at = CASE WHEN state = 'open' AND outcome = 'succeeded' THEN app.now()
                             ELSE changed_at END,
           version = version
               + CASE WHEN state = 'open' AND outcome <> 'silent' THEN 1 ELSE 0 END,
           open_until = CASE WHEN state = 'open' AND outcome = 'failed'
                             THEN app.now() + app.circuit_open_seconds(openings, terms)
                             ELSE open_until END,
           openings = openings + CASE WHEN state = 'open' AND outcome = 'failed' THEN 1 ELSE 0 END
     WHERE dependency = probed_dependency AND probe_owner = owner;
    RETURN app.circuit_view();
END
$$;

REVOKE ALL ON FUNCTION app.circuit_view() FROM PUBLIC;
REVOKE ALL ON FUNCTION app.circuit_open_seconds(integer, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION app.report_calls(text, integer, integer, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION app.claim_probe(text, uuid, double precision) FROM PUBLIC;
REVOKE ALL ON FUNCTION app.end_probe(text, uuid, text, jsonb) FROM PUBLIC;
