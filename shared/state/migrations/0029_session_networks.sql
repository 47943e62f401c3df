-- From which networks a session was used in the last day, so that one which many share shows.

-- Unlogged: after a crash of Postgres the day begins afresh. Never an address: a digest of the
-- session's id and the network, a /24 or a /48, which is worth nothing without the session.
CREATE UNLOGGED TABLE app.session_networks (
    session_id uuid NOT NULL,
    network_hash bytea NOT NULL CHECK (octet_length(network_hash) = 16),
    seen_at timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (session_id, network_hash)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX session_networks_seen ON app.session_networks (seen_at);

-- Notes that a session was used from a network; more than `networks_max` are not kept.
CREATE FUNCTION app.note_session_network(
    session uuid, network bytea, networks_max integer
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    INSERT INTO app.session_networks AS n (session_id, network_hash)
    SELECT session, network
     WHERE (SELECT count(*) FROM app.session_networks k WHERE k.session_id = session)
           < networks_max
    ON CONFLICT (session_id, network_hash) DO UPDATE SET seen_at = app.now()
$$;

REVOKE ALL ON FUNCTION app.note_session_network(uuid, bytea, integer) FROM PUBLIC;
