-- Clients whose id is the address of a document that describes them.

ALTER TABLE app.clients DROP CONSTRAINT clients_kind_check;
ALTER TABLE app.clients ADD CONSTRAINT clients_kind_check
    CHECK (kind IN ('dynamic', 'preregistered', 'document'));

-- What is known of each document: the last one that was good, and how the last fetch ended.
CREATE TABLE app.client_documents (
    client_id text PRIMARY KEY CHECK (length(client_id) <= 512),
    -- The members that mean something here, validated; null where no fetch has succeeded.
    document json,
    fetched_at timestamptz,
    fresh_until timestamptz,
    -- The last fetch failed: why, and when the next may be tried.
    fault text,
    retry_at timestamptz,
    changed_at timestamptz NOT NULL DEFAULT app.now(),
    CHECK ((document IS NULL) = (fetched_at IS NULL)),
    CHECK ((document IS NULL) = (fresh_until IS NULL)),
    CHECK ((fault IS NULL) = (retry_at IS NULL))
);
CREATE INDEX client_documents_changed ON app.client_documents (changed_at);

-- Fetches from each host in the running minute: whoever sends clients here must not be able to
-- send us to somebody's host again and again.
CREATE TABLE app.client_document_hosts (
    host text PRIMARY KEY CHECK (length(host) <= 255),
    minute_began_at timestamptz NOT NULL,
    fetches integer NOT NULL
);
CREATE INDEX client_document_hosts_minute ON app.client_document_hosts (minute_began_at);

-- The row of a client that a document describes. The only way for the authorization server to
-- change one, and never a client of another kind.
CREATE FUNCTION app.put_document_client(
    client_id text, client_name text, client_uri text, redirect_uris text[], keys json,
    must_authenticate boolean, unused_seconds integer
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    INSERT INTO app.clients
        (client_id, kind, client_name, client_uri, redirect_uris, keys, must_authenticate,
         unused_expires_at)
    VALUES (put_document_client.client_id, 'document', put_document_client.client_name,
            put_document_client.client_uri, put_document_client.redirect_uris,
            put_document_client.keys, put_document_client.must_authenticate,
            app.now() + make_interval(secs => put_document_client.unused_seconds))
    ON CONFLICT ON CONSTRAINT clients_pkey DO UPDATE
       SET client_name = EXCLUDED.client_name, client_uri = EXCLUDED.client_uri,
           redirect_uris = EXCLUDED.redirect_uris, keys = EXCLUDED.keys,
           must_authenticate = EXCLUDED.must_authenticate,
           unused_expires_at = CASE WHEN clients.unused_expires_at IS NULL THEN NULL
                                    ELSE EXCLUDED.unused_expires_at END
     WHERE clients.kind = 'document'
$$;

REVOKE ALL ON FUNCTION
    app.put_document_client(text, text, text, text[], json, boolean, integer) FROM PUBLIC;
