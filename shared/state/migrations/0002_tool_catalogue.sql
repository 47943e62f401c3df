-- The site's own tools, as it listed them for a person, and the names under which we publish them.

CREATE TABLE app.tool_catalogue (
    user_id uuid PRIMARY KEY REFERENCES app.users ON DELETE CASCADE,
    -- How `tools` is written; rows in another form are overwritten at the next listing.
    form integer NOT NULL,
    -- Not jsonb, which would forget the order of members that the site gave.
    tools json NOT NULL CHECK (json_typeof(tools) = 'array'),
    -- Published name to the site's name, also of tools that are gone: a name keeps its meaning.
    names jsonb NOT NULL CHECK (jsonb_typeof(names) = 'object'),
    listed_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX tool_catalogue_listed ON app.tool_catalogue (listed_at);
