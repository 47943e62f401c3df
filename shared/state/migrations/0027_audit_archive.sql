-- Months of the trail come and go: partitions are made ahead, and a month is dropped when it is over
-- its time and every row of it is noted as archived. The cleanup may read only what is to be
-- archived, and heads of chains.

-- Which rows of a month stand in the archive: consecutive ones of a chain in each part.
CREATE TABLE app.audit_archived_parts (
    month date NOT NULL,
    chain smallint NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence bigint NOT NULL,
    events integer NOT NULL,
    object_key text NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    archived_at timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (month, chain, first_sequence)
);

-- The months that are there, oldest first.
CREATE FUNCTION app.audit_months() RETURNS TABLE (month date, partition regclass)
LANGUAGE sql STABLE SET search_path = app, pg_temp AS $$
    SELECT to_date(right(c.relname, 7), 'YYYY_MM'), c.oid::regclass
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'app.audit_events'::regclass
       AND c.relname ~ '^audit_events_[0-9]{4}_[0-9]{2}$'
     ORDER BY 1
$$;

-- The oldest month, if it is over its time; never fewer than 13 months are kept, whoever asks.
CREATE FUNCTION app.expired_audit_month(months_kept integer)
RETURNS TABLE (month date, partition regclass)
LANGUAGE sql STABLE SET search_path = app, pg_temp AS $$
    SELECT oldest.month, oldest.partition
      FROM (SELECT * FROM app.audit_months() LIMIT 1) AS oldest
     WHERE oldest.month + make_interval(months => 1 + greatest(months_kept, 13))
           <= app.now() AT TIME ZONE 'UTC'
$$;

-- Makes the partitions of this month and of so many after it; how many were missing.
CREATE FUNCTION app.make_audit_partitions(months_ahead integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp SET lock_timeout = '1s' AS $$
    SELECT count(*) FILTER (WHERE app.make_audit_partition(months::date))::integer
      FROM generate_series(
               date_trunc('month', app.now() AT TIME ZONE 'UTC'),
               (app.now() AT TIME ZONE 'UTC') + make_interval(months => least(months_ahead, 12)),
               interval '1 month') AS months
$$;

-- Events that lie in no month's partition.
CREATE FUNCTION app.count_audit_strays() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    SELECT count(*) FROM app.audit_events_default
$$;

CREATE FUNCTION app.audit_heads()
RETURNS TABLE (chain smallint, sequence bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    SELECT c.chain, c.sequence, c.hash FROM app.audit_chains c ORDER BY c.chain
$$;

-- The next rows to archive: of the oldest month that is over its time, of one chain, in order.
CREATE FUNCTION app.next_audit_part(months_kept integer, events_max integer)
RETURNS TABLE (
    month date, hash_version smallint, chain smallint, sequence bigint, previous_hash bytea,
    hash bytea, event_id uuid, occurred_at timestamptz, action text, user_id uuid, grant_id uuid,
    session_id uuid, client_id text, details text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    expired record;
BEGIN
    SELECT * INTO expired FROM app.expired_audit_month(months_kept);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format(
        'WITH archived AS ('
        '    SELECT c.chain, coalesce(max(p.last_sequence), 0) AS sequence'
        '      FROM app.audit_chains c'
        '      LEFT JOIN app.audit_archived_parts p ON p.chain = c.chain AND p.month = $1'
        '     GROUP BY c.chain'
        '), following AS ('
        '    SELECT a.* FROM archived a WHERE EXISTS ('
        '        SELECT 1 FROM %1$s e WHERE e.chain = a.chain AND e.sequence > a.sequence)'
        '     ORDER BY a.chain LIMIT 1'
        ')'
        ' SELECT $1, e.hash_version, e.chain, e.sequence, e.previous_hash, e.hash, e.event_id,'
        '        e.occurred_at, e.action, e.user_id, e.grant_id, e.session_id, e.client_id,'
        '        e.details::text'
        '   FROM %1$s e JOIN following f ON f.chain = e.chain AND e.sequence > f.sequence'
        '  ORDER BY e.sequence LIMIT $2', expired.partition)
    USING expired.month, events_max;
END
$$;

CREATE FUNCTION app.note_audit_part(
    month date, chain smallint, first_sequence bigint, last_sequence bigint, events integer,
    object_key text, sha256 bytea
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    INSERT INTO app.audit_archived_parts
        (month, chain, first_sequence, last_sequence, events, object_key, sha256)
    VALUES (note_audit_part.month, note_audit_part.chain, note_audit_part.first_sequence,
            note_audit_part.last_sequence, note_audit_part.events, note_audit_part.object_key,
            note_audit_part.sha256)
    ON CONFLICT DO NOTHING
$$;

-- Drops the oldest month that is over its time, if the notes tell of all its rows; the month, or
-- null. From then on the chains begin behind it.
CREATE FUNCTION app.drop_audit_month(months_kept integer) RETURNS date
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp
SET lock_timeout = '1s' AS $$
DECLARE
    expired record;
    complete boolean;
BEGIN
    SELECT * INTO expired FROM app.expired_audit_month(months_kept);
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', expired.partition);
    EXECUTE format(
        'SELECT (SELECT count(*) FROM %1$s)'
        '       = (SELECT coalesce(sum(p.events), 0) FROM app.audit_archived_parts p'
        '           WHERE p.month = $1)'
        '   AND NOT EXISTS ('
        '       SELECT 1 FROM %1$s e WHERE NOT EXISTS ('
        '           SELECT 1 FROM app.audit_archived_parts p'
        '            WHERE p.month = $1 AND p.chain = e.chain'
        '              AND e.sequence BETWEEN p.first_sequence AND p.last_sequence))',
        expired.partition) INTO complete USING expired.month;
    IF NOT complete THEN
        RETURN NULL;
    END IF;
    EXECUTE format(
        'UPDATE app.audit_chains c SET floor_sequence = e.sequence, floor_hash = e.hash'
        '  FROM (SELECT DISTINCT ON (chain) chain, sequence, hash FROM %s'
        '         ORDER BY chain, sequence DESC) e'
        ' WHERE c.chain = e.chain', expired.partition);
    EXECUTE format('DROP TABLE %s', expired.partition);
    RETURN expired.month;
END
$$;

REVOKE ALL ON FUNCTION
    app.audit_months(),
    app.expired_audit_month(integer),
    app.make_audit_partitions(integer),
    app.count_audit_strays(),
    app.audit_heads(),
    app.next_audit_part(integer, integer),
    app.note_audit_part(date, smallint, bigint, bigint, integer, text, bytea),
    app.drop_audit_month(integer)
FROM PUBLIC;
