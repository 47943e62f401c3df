-- Clients that an operator has blocked (scripts/contain): nothing is signed in, registered or
-- refreshed with one, and from its next request on no token of it is taken.
ALTER TABLE app.clients ADD COLUMN blocked_at timestamptz;

-- As before, but that sessions of a blocked client have ended when it was blocked: the rows
-- themselves end batch by batch.
CREATE OR REPLACE FUNCTION app.authenticate_call(presented_hash bytea)
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
           s.session_id, s.client_id, c.client_name, coalesce(t.scopes, s.scopes), s.resource,
           s.absolute_expires_at, coalesce(s.ended_at, c.blocked_at),
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
