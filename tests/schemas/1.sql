-- The whole present schema; the first file to read. Embedded in the program.
--
-- Times are Unix seconds, dates are `YYYY-MM-DD` text, secrets are SHA-256 in lower-case hex.
-- Only the types text and integer/bigint, so that another database can carry the same statements.

-- The programs that are sold. A tool comes into being with its first license.
create table tools (
    name       text   primary key,           -- 1 to 100 characters, compared byte for byte
    created_at bigint not null
);

-- Which machine may run which tool.
create table licenses (
    id              integer primary key autoincrement, -- never used again
    created_at      bigint  not null,
    tool_name       text    not null references tools (name) on update cascade,
    license_key     text    not null,        -- 1 to 255 characters; a MAC address as 0a:1b:2c:3d:4e:5f
    status          text    not null check (status in ('activated', 'suspended', 'revoked')),
    user_id         text,                    -- the customer, in the admin's words
    expiration_date text check (length(expiration_date) = 10), -- the last good day; null for no end
    unique (tool_name, license_key)          -- the check's point read
);

-- A second way to the pair: a "not found" of the unique index has to be confirmed by this one.
create index licenses_by_key on licenses (license_key, tool_name);
create index licenses_by_tool on licenses (tool_name, id);
create index licenses_by_status on licenses (status, id);
create index licenses_by_tool_and_status on licenses (tool_name, status, id);
create index licenses_by_user on licenses (user_id, id);

-- Any three characters or more of tool, key or customer, without regard to case or accents.
-- SQLite's own; elsewhere a trigram index on the three columns does the same.
create virtual table license_search using fts5 (
    tool_name, license_key, user_id,
    content = 'licenses', content_rowid = 'id',
    tokenize = 'trigram remove_diacritics 1'
);

create trigger licenses_insert_search after insert on licenses begin
    insert into license_search (rowid, tool_name, license_key, user_id)
    values (new.id, new.tool_name, new.license_key, new.user_id);
end;

create trigger licenses_delete_search after delete on licenses begin
    insert into license_search (license_search, rowid, tool_name, license_key, user_id)
    values ('delete', old.id, old.tool_name, old.license_key, old.user_id);
end;

create trigger licenses_update_search after update of tool_name, license_key, user_id on licenses begin
    insert into license_search (license_search, rowid, tool_name, license_key, user_id)
    values ('delete', old.id, old.tool_name, old.license_key, old.user_id);
    insert into license_search (rowid, tool_name, license_key, user_id)
    values (new.id, new.tool_name, new.license_key, new.user_id);
end;

-- Who may sign in.
create table users (
    id            integer primary key autoincrement,
    name          text    not null unique,
    password_hash text    not null,          -- PHC string, argon2id
    created_at    bigint  not null
);

-- Who is signed in.
create table sessions (
    id           integer primary key autoincrement,
    token_hash   text    not null unique,    -- of the cookie's value
    user_id      integer not null references users (id) on delete cascade,
    created_at   bigint  not null,
    last_used_at bigint  not null,           -- written at most once a minute
    address      text    not null,           -- at sign-in
    user_agent   text    not null            -- at sign-in
);

create index sessions_by_user on sessions (user_id);

-- Keys for scripts.
create table api_tokens (
    id           integer primary key autoincrement,
    token_hash   text    not null unique,    -- of `lsk_` and what follows
    user_id      integer not null references users (id) on delete cascade,
    name         text    not null,
    scopes       text    not null,           -- licenses:read, licenses:write, divided by spaces
    created_at   bigint  not null,
    expires_at   bigint  not null,
    last_used_at bigint                      -- written at most once a minute
);

-- What was done, by whom. Rows are only ever added; each is chained to the one before.
create table audit (
    id          integer primary key,         -- counts up by one, without a gap
    at          bigint  not null,
    kind        text    not null,            -- such as `license changed`
    who         text    not null,            -- a user's name, `token NAME`, or `command line`
    address     text    not null,            -- empty on the command line
    license_id  integer,                     -- also after the license is gone
    tool_name   text,                        -- at that time
    license_key text,                        -- at that time
    before      text,                        -- JSON object
    after       text,                        -- JSON object
    hash        text    not null             -- SHA-256 over the hash before and everything in this row
);

create index audit_by_license on audit (license_id, id);
create index audit_by_key on audit (license_key, id);
create index audit_by_kind on audit (kind, id);
create index audit_by_time on audit (at, id);

create trigger audit_never_changes before update on audit begin
    select raise(abort, 'the audit log is append-only');
end;

create trigger audit_never_shrinks before delete on audit begin
    select raise(abort, 'the audit log is append-only');
end;
