-- The frame: clients, sign-ins, grants, sessions, usage, audit.
-- Every time is the database's: statements call app.now(), which tests replace.

CREATE FUNCTION app.now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT pg_catalog.now() $$;

CREATE TABLE app.clients (
    client_id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('dynamic', 'preregistered')),
    client_name text NOT NULL,
    client_uri text,
    redirect_uris text[] NOT NULL CHECK (cardinality(redirect_uris) > 0),
    created_at timestamptz NOT NULL DEFAULT app.now(),
    -- A registration that nobody has signed in with goes after a day; a first grant clears this.
    unused_expires_at timestamptz
);
CREATE INDEX clients_unused ON app.clients (unused_expires_at) WHERE unused_expires_at IS NOT NULL;

CREATE TABLE app.sign_ins (
    sign_in_id uuid PRIMARY KEY,
    browser_hash bytea NOT NULL,
    consent_hash bytea NOT NULL,
    -- Set when the person agrees and leaves for Drupal.
    state_hash bytea UNIQUE,
    client_id text NOT NULL REFERENCES app.clients ON DELETE CASCADE,
    redirect_uri text NOT NULL,
    client_state text,
    scopes text[] NOT NULL,
    resource text NOT NULL,
    code_challenge text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_ins_expires ON app.sign_ins (expires_at);

-- A browser in which a person approved a client before; the cookie's value is known by hash.
CREATE TABLE app.browser_approvals (
    browser_hash bytea NOT NULL,
    client_id text NOT NULL REFERENCES app.clients ON DELETE CASCADE,
    redirect_uri text NOT NULL,
    scopes text[] NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (browser_hash, client_id, redirect_uri)
);
CREATE INDEX browser_approvals_expires ON app.browser_approvals (expires_at);

CREATE TABLE app.users (
    user_id uuid PRIMARY KEY,
    -- The site and the person's id there.
    site text NOT NULL,
    subject text NOT NULL,
    -- Goes into the derivation of this person's sealing key; destroying it erases the tokens.
    salt bytea NOT NULL CHECK (octet_length(salt) = 32),
    created_at timestamptz NOT NULL DEFAULT app.now(),
    UNIQUE (site, subject)
);

CREATE TABLE app.data_keys (
    generation integer PRIMARY KEY,
    wrapped_key bytea NOT NULL,
    kms_key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now()
);

CREATE TABLE app.grants (
    grant_id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES app.users,
    client_id text NOT NULL REFERENCES app.clients,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'ended')),
    ended_at timestamptz,
    ended_cause text,
    suspended_until timestamptz,
    -- The sealed pair; both columns are emptied when the grant has ended and Drupal was told.
    pair_ciphertext bytea,
    key_generation integer REFERENCES app.data_keys,
    -- Counts the pairs: fences every write of one.
    pair_generation bigint NOT NULL DEFAULT 1,
    access_expires_at timestamptz NOT NULL,
    refresh_at timestamptz,
    refresh_failures integer NOT NULL DEFAULT 0,
    lease_owner uuid,
    lease_until timestamptz,
    last_used_at timestamptz NOT NULL DEFAULT app.now(),
    created_at timestamptz NOT NULL DEFAULT app.now(),
    CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
    CHECK ((status = 'ended') = (ended_cause IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX grants_due ON app.grants (refresh_at) WHERE status = 'active' AND refresh_at IS NOT NULL;
CREATE INDEX grants_user ON app.grants (user_id);
CREATE INDEX grants_client ON app.grants (client_id);
CREATE INDEX grants_ended ON app.grants (ended_at) WHERE status = 'ended';

-- One row per call of Drupal's token endpoint, written before the call: without an outcome it is
-- in doubt whether Drupal has rotated the pair.
CREATE TABLE app.refresh_attempts (
    attempt_id uuid PRIMARY KEY,
    grant_id uuid NOT NULL REFERENCES app.grants ON DELETE CASCADE,
    pair_generation bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT app.now(),
    finished_at timestamptz,
    outcome text
);
CREATE INDEX refresh_attempts_grant ON app.refresh_attempts (grant_id, pair_generation);
CREATE INDEX refresh_attempts_started ON app.refresh_attempts (started_at);

-- Grants that have ended and that Drupal still has to be told about.
CREATE TABLE app.revocation_outbox (
    grant_id uuid PRIMARY KEY REFERENCES app.grants ON DELETE CASCADE,
    next_try_at timestamptz NOT NULL DEFAULT app.now(),
    tries integer NOT NULL DEFAULT 0
);
CREATE INDEX revocation_outbox_due ON app.revocation_outbox (next_try_at);

CREATE TABLE app.authorization_codes (
    code_hash bytea PRIMARY KEY,
    grant_id uuid NOT NULL REFERENCES app.grants ON DELETE CASCADE,
    client_id text NOT NULL,
    redirect_uri text NOT NULL,
    scopes text[] NOT NULL,
    resource text NOT NULL,
    code_challenge text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX authorization_codes_expires ON app.authorization_codes (expires_at);

CREATE TABLE app.sessions (
    session_id uuid PRIMARY KEY,
    grant_id uuid NOT NULL REFERENCES app.grants ON DELETE CASCADE,
    client_id text NOT NULL,
    scopes text[] NOT NULL,
    resource text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    absolute_expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_cause text,
    CHECK ((ended_at IS NULL) = (ended_cause IS NULL))
);
CREATE INDEX sessions_grant ON app.sessions (grant_id);
CREATE INDEX sessions_expires ON app.sessions (absolute_expires_at);
CREATE INDEX sessions_ended ON app.sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE app.access_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES app.sessions ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX access_tokens_session ON app.access_tokens (session_id);
CREATE INDEX access_tokens_expires ON app.access_tokens (expires_at);

CREATE TABLE app.refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES app.sessions ON DELETE CASCADE,
    sequence integer NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT app.now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    -- The answer given at first use, sealed under a key derived from the presented token, so
    -- that a client that lost it gets the same again though only hashes are stored.
    successor_sealed bytea,
    UNIQUE (session_id, sequence),
    CHECK ((used_at IS NULL) = (successor_sealed IS NULL))
);
CREATE INDEX refresh_tokens_expires ON app.refresh_tokens (expires_at);

CREATE TABLE app.usage_events (
    event_id uuid PRIMARY KEY,
    occurred_at timestamptz NOT NULL DEFAULT app.now(),
    user_id uuid NOT NULL,
    client_id text NOT NULL,
    tool text NOT NULL,
    outcome text NOT NULL,
    content_id text,
    result_count integer,
    duration_milliseconds integer NOT NULL
);
CREATE INDEX usage_events_occurred ON app.usage_events (occurred_at);

-- Append only: the application's roles may not change or delete rows.
CREATE TABLE app.audit_events (
    event_id uuid PRIMARY KEY,
    occurred_at timestamptz NOT NULL DEFAULT app.now(),
    action text NOT NULL,
    user_id uuid,
    grant_id uuid,
    session_id uuid,
    client_id text,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_occurred ON app.audit_events (occurred_at);

-- All that an MCP request needs, in one round trip: session, grant and sealed pair by token hash.
-- A row comes back for every known token, live or not, so that the caller can tell expired,
-- ended and foreign apart; it never comes back for an unknown one.
CREATE FUNCTION app.authenticate_call(presented_hash bytea)
RETURNS TABLE (
    checked_at timestamptz,
    token_expires_at timestamptz,
    session_id uuid,
    session_client_id text,
    client_name text,
    session_scopes text[],
    session_resource text,
    session_expires_at timestamptz,
    session_ended_at timestamptz,
    grant_id uuid,
    grant_client_id text,
    grant_status text,
    grant_suspended_until timestamptz,
    pair_ciphertext bytea,
    key_generation integer,
    pair_generation bigint,
    access_expires_at timestamptz,
    user_id uuid,
    subject text,
    user_salt bytea
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    SELECT app.now(), t.expires_at,
           s.session_id, s.client_id, c.client_name, s.scopes, s.resource,
           s.absolute_expires_at, s.ended_at,
           g.grant_id, g.client_id, g.status, g.suspended_until,
           g.pair_ciphertext, g.key_generation, g.pair_generation, g.access_expires_at,
           u.user_id, u.subject, u.salt
      FROM app.access_tokens t
      JOIN app.sessions s USING (session_id)
      JOIN app.grants g USING (grant_id)
      JOIN app.users u USING (user_id)
      LEFT JOIN app.clients c ON c.client_id = s.client_id
     WHERE t.token_hash = presented_hash
$$;

-- Written when a call has ended: the usage row, and that the person was here.
CREATE FUNCTION app.close_call(
    event_id uuid, grant_id uuid, tool text, outcome text, content_id text,
    result_count integer, duration_milliseconds integer
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    WITH seen AS (
        UPDATE app.grants g SET last_used_at = app.now()
         WHERE g.grant_id = close_call.grant_id
           AND g.last_used_at < app.now() - interval '5 minutes'
    )
    INSERT INTO app.usage_events
        (event_id, user_id, client_id, tool, outcome, content_id, result_count,
         duration_milliseconds)
    SELECT close_call.event_id, g.user_id, g.client_id, close_call.tool, close_call.outcome,
           close_call.content_id, close_call.result_count, close_call.duration_milliseconds
      FROM app.grants g WHERE g.grant_id = close_call.grant_id
$$;

-- The only way for the application's roles to write an audit event.
CREATE FUNCTION app.audit_append(
    event_id uuid, action text, user_id uuid, grant_id uuid, session_id uuid, client_id text,
    details jsonb
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    INSERT INTO app.audit_events
        (event_id, action, user_id, grant_id, session_id, client_id, details)
    VALUES (audit_append.event_id, audit_append.action, audit_append.user_id,
            audit_append.grant_id, audit_append.session_id, audit_append.client_id,
            audit_append.details)
$$;

-- Functions are open to everybody until said otherwise; shared/state/roles.py grants them.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
