-- Data keys change by the month, and a person can be erased.

-- How many pairs are still under an older key, and which: only they are looked for.
CREATE INDEX grants_key_generation ON app.grants (key_generation, grant_id)
    WHERE pair_ciphertext IS NOT NULL;

-- Erasure first drops who the person is at the site, and the salt once Drupal was told.
ALTER TABLE app.users ALTER COLUMN salt DROP NOT NULL;
ALTER TABLE app.users
    ADD COLUMN seen_at timestamptz NOT NULL DEFAULT app.now(),
    ADD COLUMN erasure_requested_at timestamptz,
    ADD COLUMN erased_at timestamptz,
    ADD CONSTRAINT users_erased_have_no_salt CHECK ((erased_at IS NULL) = (salt IS NOT NULL)),
    ADD CONSTRAINT users_erased_on_request
        CHECK (erased_at IS NULL OR erasure_requested_at IS NOT NULL);
CREATE INDEX users_in_erasure ON app.users (erasure_requested_at)
    WHERE erasure_requested_at IS NOT NULL AND erased_at IS NULL;
CREATE INDEX users_seen ON app.users (seen_at);
