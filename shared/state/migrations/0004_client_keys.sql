-- Clients that prove who they are (RFC 7523), and clients that the settings name.

ALTER TABLE app.clients
    -- A JWK Set (RFC 7517) of public keys, as it was entered; not jsonb, which would reorder it.
    ADD COLUMN keys json CHECK (json_typeof(keys) = 'object'),
    -- Whether the client must prove itself with one of its keys, or merely may.
    ADD COLUMN must_authenticate boolean NOT NULL DEFAULT false,
    ADD CHECK (keys IS NOT NULL OR NOT must_authenticate);

-- Assertions that were accepted: each `jti` counts once (RFC 7523 section 3, point 7).
CREATE TABLE app.assertion_ids (
    client_id text NOT NULL REFERENCES app.clients ON DELETE CASCADE,
    jti_hash bytea NOT NULL CHECK (octet_length(jti_hash) = 32),
    -- The request that used it: its second attempt after a lost commit is no second use.
    request_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
);
CREATE INDEX assertion_ids_expires ON app.assertion_ids (expires_at);

-- The row of a client that the settings name. The only way for the authorization server to change
-- a client's redirect URIs or keys, and never those of a client that registered itself.
CREATE FUNCTION app.put_preregistered_client(
    client_id text, client_name text, client_uri text, redirect_uris text[], keys json,
    must_authenticate boolean
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    INSERT INTO app.clients
        (client_id, kind, client_name, client_uri, redirect_uris, keys, must_authenticate)
    VALUES (put_preregistered_client.client_id, 'preregistered',
            put_preregistered_client.client_name, put_preregistered_client.client_uri,
            put_preregistered_client.redirect_uris, put_preregistered_client.keys,
            put_preregistered_client.must_authenticate)
    ON CONFLICT ON CONSTRAINT clients_pkey DO UPDATE
       SET client_name = EXCLUDED.client_name, client_uri = EXCLUDED.client_uri,
           redirect_uris = EXCLUDED.redirect_uris, keys = EXCLUDED.keys,
           must_authenticate = EXCLUDED.must_authenticate
     WHERE clients.kind = 'preregistered'
$$;

REVOKE ALL ON FUNCTION
    app.put_preregistered_client(text, text, text, text[], json, boolean) FROM PUBLIC;
