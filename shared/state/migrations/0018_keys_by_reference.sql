-- Clients that publish their keys at an address of their own (RFC 7591 section 2, jwks_uri).

ALTER TABLE app.clients
    ADD COLUMN jwks_uri text CHECK (length(jwks_uri) <= 512),
    DROP CONSTRAINT clients_check,
    ADD CONSTRAINT clients_check
        CHECK (keys IS NOT NULL OR jwks_uri IS NOT NULL OR NOT must_authenticate);

-- What is known of each address: the last usable set, and how the last fetch ended.
CREATE TABLE app.client_key_sets (
    jwks_uri text PRIMARY KEY CHECK (length(jwks_uri) <= 512),
    -- A JWK Set (RFC 7517) of public keys; null where no fetch has succeeded.
    keys json,
    fetched_at timestamptz,
    fresh_until timestamptz,
    -- The last fetch failed: why, and when the next may be tried.
    fault text,
    retry_at timestamptz,
    changed_at timestamptz NOT NULL DEFAULT app.now(),
    CHECK ((keys IS NULL) = (fetched_at IS NULL)),
    CHECK ((keys IS NULL) = (fresh_until IS NULL)),
    CHECK ((fault IS NULL) = (retry_at IS NULL))
);
CREATE INDEX client_key_sets_changed ON app.client_key_sets (changed_at);

DROP FUNCTION app.put_preregistered_client(text, text, text, text[], json, boolean);
DROP FUNCTION app.put_document_client(text, text, text, text[], json, boolean, integer);

-- The row of a client that the settings name. The only way for the authorization server to change
-- a client's redirect URIs or keys, and never those of a client that registered itself.
CREATE FUNCTION app.put_preregistered_client(
    client_id text, client_name text, client_uri text, redirect_uris text[], keys json,
    jwks_uri text, must_authenticate boolean
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    INSERT INTO app.clients
        (client_id, kind, client_name, client_uri, redirect_uris, keys, jwks_uri,
         must_authenticate)
    VALUES (put_preregistered_client.client_id, 'preregistered',
            put_preregistered_client.client_name, put_preregistered_client.client_uri,
            put_preregistered_client.redirect_uris, put_preregistered_client.keys,
            put_preregistered_client.jwks_uri, put_preregistered_client.must_authenticate)
    ON CONFLICT ON CONSTRAINT clients_pkey DO UPDATE
       SET client_name = EXCLUDED.client_name, client_uri = EXCLUDED.client_uri,
           redirect_uris = EXCLUDED.redirect_uris, keys = EXCLUDED.keys,
           jwks_uri = EXCLUDED.jwks_uri, must_authenticate = EXCLUDED.must_authenticate
     WHERE clients.kind = 'preregistered'
$$;

-- The row of a client that a document describes. The only way for the authorization server to
-- change one, and never a client of another kind.
CREATE FUNCTION app.put_document_client(
    client_id text, client_name text, client_uri text, redirect_uris text[], keys json,
    jwks_uri text, must_authenticate boolean, unused_seconds integer
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    INSERT INTO app.clients
        (client_id, kind, client_name, client_uri, redirect_uris, keys, jwks_uri,
         must_authenticate, unused_expires_at)
    VALUES (put_document_client.client_id, 'document', put_document_client.client_name,
            put_document_client.client_uri, put_document_client.redirect_uris,
            put_document_client.keys, put_document_client.jwks_uri,
            put_document_client.must_authenticate,
            app.now() + make_interval(secs => put_document_client.unused_seconds))
    ON CONFLICT ON CONSTRAINT clients_pkey DO UPDATE
       SET client_name = EXCLUDED.client_name, client_uri = EXCLUDED.client_uri,
           redirect_uris = EXCLUDED.redirect_uris, keys = EXCLUDED.keys,
           jwks_uri = EXCLUDED.jwks_uri, must_authenticate = EXCLUDED.must_authenticate,
           unused_expires_at = CASE WHEN clients.unused_expires_at IS NULL THEN NULL
                                    ELSE EXCLUDED.unused_expires_at END
     WHERE clients.kind = 'document'
$$;

REVOKE ALL ON FUNCTION
    app.put_preregistered_client(text, text, text, text[], json, text, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION
    app.put_document_client(text, text, text, text[], json, text, boolean, integer) FROM PUBLIC;
