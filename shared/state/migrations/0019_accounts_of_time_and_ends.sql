-- What our own requests of one sign-in have taken so far, in milliseconds: whole, and without what
-- Drupal took. The sign-in's time is told when its code is redeemed.
ALTER TABLE app.sign_ins
    ADD COLUMN total_milliseconds double precision NOT NULL DEFAULT 0,
    ADD COLUMN own_milliseconds double precision NOT NULL DEFAULT 0;
ALTER TABLE app.authorization_codes
    ADD COLUMN total_milliseconds double precision NOT NULL DEFAULT 0,
    ADD COLUMN own_milliseconds double precision NOT NULL DEFAULT 0;

-- Whose client it is, so that every end is counted by it. Unknown for the grants before this.
ALTER TABLE app.grants
    ADD COLUMN client_family text NOT NULL DEFAULT 'other' CHECK (length(client_family) <= 32);
