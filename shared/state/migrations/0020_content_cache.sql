-- What Drupal has shown to people, for the time in which Drupal is away.

-- A body is stored once, whoever has read it; its key is the digest of its text.
CREATE TABLE app.content_bodies (
    body_hash bytea PRIMARY KEY CHECK (octet_length(body_hash) = 32),
    document text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX content_bodies_stored ON app.content_bodies (stored_at);

-- Who was shown what: the only way to a body.
CREATE TABLE app.content_shown (
    user_id uuid NOT NULL REFERENCES app.users ON DELETE CASCADE,
    content_id text NOT NULL,
    body_hash bytea NOT NULL,
    shown_at timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (user_id, content_id)
);
CREATE INDEX content_shown_at ON app.content_shown (shown_at);
CREATE INDEX content_shown_body ON app.content_shown (body_hash);

-- Notes that a person was shown a body, and says whether the body is still to be stored. A row is
-- written when the body has changed, and once in an hour so that its age means something.
CREATE FUNCTION app.note_shown(reader uuid, shown_id text, shown_hash bytea, items_max integer)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    INSERT INTO app.content_shown AS s (user_id, content_id, body_hash)
    VALUES (reader, shown_id, shown_hash)
    ON CONFLICT (user_id, content_id) DO UPDATE
       SET body_hash = EXCLUDED.body_hash, shown_at = app.now()
     WHERE s.body_hash <> EXCLUDED.body_hash OR s.shown_at < app.now() - interval '1 hour';
    IF FOUND THEN
        DELETE FROM app.content_shown d
         WHERE d.user_id = reader AND d.content_id IN (
               SELECT o.content_id FROM app.content_shown o WHERE o.user_id = reader
                ORDER BY o.shown_at DESC, o.content_id OFFSET items_max);
    END IF;
    RETURN NOT EXISTS (SELECT 1 FROM app.content_bodies b WHERE b.body_hash = shown_hash);
END $$;

-- Keeps a body under its own digest: nobody can put one in the place of another.
CREATE FUNCTION app.store_body(document text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    INSERT INTO app.content_bodies (body_hash, document)
    VALUES (sha256(convert_to(store_body.document, 'UTF8')), store_body.document)
    ON CONFLICT (body_hash) DO NOTHING
$$;

CREATE FUNCTION app.find_shown(reader uuid, wanted_id text, hours_max integer)
RETURNS TABLE (document text, age_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    SELECT b.document, extract(epoch FROM app.now() - s.shown_at)::double precision
      FROM app.content_shown s JOIN app.content_bodies b USING (body_hash)
     WHERE s.user_id = reader AND s.content_id = wanted_id
       AND s.shown_at > app.now() - make_interval(hours => hours_max)
$$;

-- Drupal has said no: to one item, or with null to the person.
CREATE FUNCTION app.forget_shown(reader uuid, refused_id text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    DELETE FROM app.content_shown s
     WHERE s.user_id = reader AND (refused_id IS NULL OR s.content_id = refused_id)
$$;

REVOKE ALL ON FUNCTION app.note_shown(uuid, text, bytea, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION app.store_body(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION app.find_shown(uuid, text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION app.forget_shown(uuid, text) FROM PUBLIC;
