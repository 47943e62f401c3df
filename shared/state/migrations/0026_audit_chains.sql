-- The trail in hash chains and monthly partitions. Code of the release before goes on appending
-- through app.audit_append; what is there already is linked into chain 0, in the order of its time.

-- The newest event of each chain, and the one before the oldest that is still in the database.
CREATE TABLE app.audit_chains (
    chain smallint PRIMARY KEY,
    sequence bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(hash) = 32),
    occurred_at timestamptz NOT NULL DEFAULT '-infinity',
    floor_sequence bigint NOT NULL DEFAULT 0,
    floor_hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
        CHECK (octet_length(floor_hash) = 32)
) WITH (fillfactor = 20);
INSERT INTO app.audit_chains (chain) SELECT generate_series(0, 31);

ALTER TABLE app.audit_events RENAME TO audit_events_unlinked;
ALTER TABLE app.audit_events_unlinked RENAME CONSTRAINT audit_events_pkey TO audit_unlinked_pkey;
ALTER INDEX app.audit_events_occurred RENAME TO audit_unlinked_occurred;

CREATE TABLE app.audit_events (
    chain smallint NOT NULL,
    sequence bigint NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    -- Which canonical form was hashed.
    hash_version smallint NOT NULL,
    event_id uuid NOT NULL,
    -- When the transaction began, and never before the event before it in its chain: so a month
    -- holds one piece of every chain, and can go as a whole.
    occurred_at timestamptz NOT NULL,
    action text NOT NULL,
    user_id uuid,
    grant_id uuid,
    session_id uuid,
    client_id text,
    details jsonb NOT NULL,
    PRIMARY KEY (chain, sequence, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX audit_events_occurred ON app.audit_events (occurred_at);
-- Takes what no month was made for: an append never fails for want of a partition.
CREATE TABLE app.audit_events_default PARTITION OF app.audit_events DEFAULT;

-- SHA-256 over every field as length:bytes, a missing one as "-", joined by commas.
CREATE FUNCTION app.audit_hash(event app.audit_events) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = app, pg_temp AS $$
    SELECT sha256(convert_to(
               string_agg(coalesce(octet_length(field) || ':' || field, '-'), ',' ORDER BY place),
               'UTF8'))
      FROM unnest(ARRAY[
               event.hash_version::text, event.chain::text, event.sequence::text,
               encode(event.previous_hash, 'hex'), event.event_id::text,
               trunc(extract(epoch FROM event.occurred_at) * 1000000)::bigint::text,
               event.action, event.user_id::text, event.grant_id::text, event.session_id::text,
               event.client_id, event.details::text
           ]) WITH ORDINALITY AS listed (field, place)
$$;

-- Puts an event at the end of a chain that is locked; gives back where it stands.
CREATE FUNCTION app.link_audit_event(head app.audit_chains, event app.audit_events)
RETURNS app.audit_events
LANGUAGE plpgsql VOLATILE SET search_path = app, pg_temp AS $$
BEGIN
    event.chain := head.chain;
    event.sequence := head.sequence + 1;
    event.previous_hash := head.hash;
    event.hash_version := 1;
    event.occurred_at := greatest(event.occurred_at, head.occurred_at);
    event.hash := app.audit_hash(event);
    INSERT INTO app.audit_events VALUES (event.*);
    UPDATE app.audit_chains c
       SET sequence = event.sequence, hash = event.hash, occurred_at = event.occurred_at
     WHERE c.chain = event.chain;
    RETURN event;
END
$$;

-- The chain for the running transaction, locked: the one it has used already, else one that nobody
-- holds, the first from a place that goes round with the transactions. Only when all are held it
-- waits for one.
CREATE FUNCTION app.take_audit_chain() RETURNS app.audit_chains
LANGUAGE plpgsql VOLATILE SET search_path = app, pg_temp AS $$
DECLARE
    own xid8 := pg_current_xact_id();
    place smallint := (own::text::numeric % 32)::smallint;
    head app.audit_chains;
BEGIN
    SELECT * INTO head FROM app.audit_chains c
     ORDER BY (c.xmin = own::xid) DESC, (c.chain + place) % 32
     LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        SELECT * INTO STRICT head FROM app.audit_chains c WHERE c.chain = place FOR UPDATE;
    END IF;
    RETURN head;
END
$$;

-- The only way for the application's roles to write an audit event.
CREATE FUNCTION app.append_audit_event(
    event_id uuid, action text, user_id uuid, grant_id uuid, session_id uuid, client_id text,
    details jsonb
) RETURNS TABLE (chain smallint, sequence bigint, hash bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    event app.audit_events;
BEGIN
    event.event_id := append_audit_event.event_id;
    event.occurred_at := app.now();
    event.action := append_audit_event.action;
    event.user_id := append_audit_event.user_id;
    event.grant_id := append_audit_event.grant_id;
    event.session_id := append_audit_event.session_id;
    event.client_id := append_audit_event.client_id;
    event.details := append_audit_event.details;
    event := app.link_audit_event(app.take_audit_chain(), event);
    RETURN QUERY SELECT event.chain, event.sequence, event.hash;
END
$$;

-- For the release before this one; goes with a later migration.
CREATE OR REPLACE FUNCTION app.audit_append(
    event_id uuid, action text, user_id uuid, grant_id uuid, session_id uuid, client_id text,
    details jsonb
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    SELECT app.append_audit_event(
        audit_append.event_id, audit_append.action, audit_append.user_id, audit_append.grant_id,
        audit_append.session_id, audit_append.client_id, audit_append.details)
$$;

-- Makes the partition of one month (its first day, UTC), with what waits for it in the default one.
CREATE FUNCTION app.make_audit_partition(month date) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = app, pg_temp AS $$
DECLARE
    name text := 'audit_events_' || to_char(month, 'YYYY_MM');
    from_at timestamptz := month::timestamp AT TIME ZONE 'UTC';
    to_at timestamptz := (month + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass('app.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE app.%I (LIKE app.audit_events)', name);
    LOCK TABLE app.audit_events_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
        'WITH moved AS (DELETE FROM app.audit_events_default'
        ' WHERE occurred_at >= %L AND occurred_at < %L RETURNING *)'
        ' INSERT INTO app.%I SELECT * FROM moved', from_at, to_at, name);
    EXECUTE format(
        'ALTER TABLE app.audit_events ATTACH PARTITION app.%I FOR VALUES FROM (%L) TO (%L)',
        name, from_at, to_at);
    RETURN true;
END
$$;

-- What was written before there were chains.
DO $$
DECLARE
    old app.audit_events_unlinked;
    event app.audit_events;
    head app.audit_chains;
BEGIN
    PERFORM app.make_audit_partition((months)::date)
       FROM generate_series(
                date_trunc('month', least(
                    (SELECT min(occurred_at) FROM app.audit_events_unlinked), app.now())
                    AT TIME ZONE 'UTC'),
                (app.now() AT TIME ZONE 'UTC') + interval '3 months', interval '1 month') AS months;
    FOR old IN SELECT * FROM app.audit_events_unlinked ORDER BY occurred_at, event_id LOOP
        SELECT * INTO head FROM app.audit_chains WHERE chain = 0;
        event := NULL;
        event.event_id := old.event_id;
        event.occurred_at := old.occurred_at;
        event.action := old.action;
        event.user_id := old.user_id;
        event.grant_id := old.grant_id;
        event.session_id := old.session_id;
        event.client_id := old.client_id;
        event.details := old.details;
        PERFORM app.link_audit_event(head, event);
    END LOOP;
END
$$;
DROP TABLE app.audit_events_unlinked;

REVOKE ALL ON FUNCTION
    app.audit_hash(app.audit_events),
    app.link_audit_event(app.audit_chains, app.audit_events),
    app.take_audit_chain(),
    app.append_audit_event(uuid, text, uuid, uuid, uuid, text, jsonb),
    app.make_audit_partition(date)
FROM PUBLIC;
