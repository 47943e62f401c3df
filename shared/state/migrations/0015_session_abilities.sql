-- What clients of the 2025 revisions say they can do, which they say once per conversation.

CREATE TABLE app.session_abilities (
    session_id uuid PRIMARY KEY REFERENCES app.sessions ON DELETE CASCADE,
    url_elicitation boolean NOT NULL
);
