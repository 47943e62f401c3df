-- The account page: sign-ins to it, visits of it, and Drupal's pairs that nobody needs any more.

-- A sign-in to the account page that is under way; the state of our request to Drupal by hash.
CREATE TABLE app.account_sign_ins (
    state_hash bytea PRIMARY KEY,
    browser_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX account_sign_ins_expires ON app.account_sign_ins (expires_at);

-- A visit: one person at the account page in one browser, by the hash of the cookie's value.
CREATE TABLE app.account_visits (
    visit_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES app.users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    -- Moved on by each use, never beyond ends_at.
    idle_ends_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    CHECK (idle_ends_at <= ends_at)
);
CREATE INDEX account_visits_idle_ends ON app.account_visits (idle_ends_at);
CREATE INDEX account_visits_user ON app.account_visits (user_id);

-- Pairs of Drupal's that belong to no grant and are still to be burnt.
CREATE TABLE app.discarded_pairs (
    pair_id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES app.users,
    pair_ciphertext bytea NOT NULL,
    key_generation integer NOT NULL REFERENCES app.data_keys,
    next_try_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX discarded_pairs_due ON app.discarded_pairs (next_try_at);
CREATE INDEX discarded_pairs_user ON app.discarded_pairs (user_id);

-- The account page asks what a grant without a session was consented to.
CREATE INDEX authorization_codes_grant ON app.authorization_codes (grant_id);
