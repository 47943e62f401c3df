-- What the site has found for people, by the digest of what they searched for: for the time in
-- which its search is away and, where operators want it, for the next seconds.
CREATE TABLE app.kept_searches (
    user_id uuid NOT NULL REFERENCES app.users ON DELETE CASCADE,
    search_hash bytea NOT NULL CHECK (octet_length(search_hash) = 32),
    page text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (user_id, search_hash)
);
CREATE INDEX kept_searches_found_at ON app.kept_searches (found_at);

-- Keeps a page; of a person's pages the last `items_max` stay.
CREATE FUNCTION app.keep_search(reader uuid, searched bytea, results text, items_max integer)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    INSERT INTO app.kept_searches AS s (user_id, search_hash, page)
    VALUES (reader, searched, results)
    ON CONFLICT (user_id, search_hash) DO UPDATE SET page = EXCLUDED.page, found_at = app.now();
    DELETE FROM app.kept_searches d
     WHERE d.user_id = reader AND d.search_hash IN (
           SELECT o.search_hash FROM app.kept_searches o WHERE o.user_id = reader
            ORDER BY o.found_at DESC, o.search_hash OFFSET items_max);
END $$;

CREATE FUNCTION app.find_search(reader uuid, searched bytea, seconds_max double precision)
RETURNS TABLE (page text, age_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    SELECT s.page, extract(epoch FROM app.now() - s.found_at)::double precision
      FROM app.kept_searches s
     WHERE s.user_id = reader AND s.search_hash = searched
       AND s.found_at > app.now() - make_interval(secs => seconds_max)
$$;

-- Drupal does not let the person search any more.
CREATE FUNCTION app.forget_searches(reader uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    DELETE FROM app.kept_searches s WHERE s.user_id = reader
$$;

-- Drupal has said no: to one item, or with null to the person, whose searches go too.
CREATE OR REPLACE FUNCTION app.forget_shown(reader uuid, refused_id text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    DELETE FROM app.kept_searches s WHERE refused_id IS NULL AND s.user_id = reader;
    DELETE FROM app.content_shown s
     WHERE s.user_id = reader AND (refused_id IS NULL OR s.content_id = refused_id)
$$;

REVOKE ALL ON FUNCTION app.keep_search(uuid, bytea, text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION app.find_search(uuid, bytea, double precision) FROM PUBLIC;
REVOKE ALL ON FUNCTION app.forget_searches(uuid) FROM PUBLIC;
