-- The whole present schema; the first file to read. Embedded in the program.
--
-- Times are Unix seconds, dates are `YYYY-MM-DD` text, secrets are SHA-256 in lower-case hex.
-- Only the types text and integer/bigint, so that another database can carry the same statements.

-- The programs that are sold. A tool comes into being with its first license.
create table tools (
    name         text   primary key,         -- 1 to 100 characters, compared byte for byte
    created_at   bigint not null,
    offline_days bigint not null default 7,  -- how long a client may run on a signed answer; 0 for not at all
    grace_days   bigint not null default 0,  -- how long a license is good behind its last day
    message      text   not null default '', -- for refused customers, in signed answers
    link         text   not null default ''  -- where they can go
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
    last_seen_on    text    not null default '', -- the operator's day of the last check; empty for never
    refused_on      text    not null default '', -- the same day, where that check was refused
    shared_on       text    not null default '', -- the last day with checks from several addresses
    note            text,                    -- by the admin
    moved_to        bigint,                  -- the license of the machine that took its place
    unique (tool_name, license_key)          -- the check's point read
);

-- A second way to the pair: a "not found" of the unique index has to be confirmed by this one.
create index licenses_by_key on licenses (license_key, tool_name);
create index licenses_by_customer on licenses (coalesce(user_id, ''), id);
-- One for each order of the table: a piece of it is merged from the pieces of each tool and status.
-- The last columns are there so that the filters by date need not look into the table.
create index licenses_by_id on licenses (tool_name, status, id, expiration_date);
create index licenses_by_last_seen on licenses (tool_name, status, last_seen_on, id, expiration_date);
create index licenses_by_end on licenses (tool_name, status, coalesce(expiration_date, 'never'), id, last_seen_on);
-- Few rows each.
create index licenses_refused on licenses (refused_on, id, tool_name, status, expiration_date)
    where refused_on <> '';
create index licenses_shared on licenses (shared_on, id, tool_name, status, expiration_date)
    where shared_on <> '';
create index licenses_moved on licenses (moved_to) where moved_to is not null;

-- How many licenses there are of each kind, so that nobody has to count them.
create table license_counts (
    tool_name       text   not null,
    status          text   not null,
    expiration_date text   not null,         -- empty for no end
    number          bigint not null,
    primary key (tool_name, status, expiration_date)
);

create trigger licenses_insert_count after insert on licenses begin
    insert into license_counts (tool_name, status, expiration_date, number)
    values (new.tool_name, new.status, coalesce(new.expiration_date, ''), 1)
    on conflict (tool_name, status, expiration_date) do update set number = number + 1;
end;

create trigger licenses_delete_count after delete on licenses begin
    update license_counts set number = number - 1
    where tool_name = old.tool_name and status = old.status
        and expiration_date = coalesce(old.expiration_date, '');
    delete from license_counts
    where tool_name = old.tool_name and status = old.status
        and expiration_date = coalesce(old.expiration_date, '') and number = 0;
end;

create trigger licenses_update_count after update of tool_name, status, expiration_date on licenses begin
    update license_counts set number = number - 1
    where tool_name = old.tool_name and status = old.status
        and expiration_date = coalesce(old.expiration_date, '');
    delete from license_counts
    where tool_name = old.tool_name and status = old.status
        and expiration_date = coalesce(old.expiration_date, '') and number = 0;
    insert into license_counts (tool_name, status, expiration_date, number)
    values (new.tool_name, new.status, coalesce(new.expiration_date, ''), 1)
    on conflict (tool_name, status, expiration_date) do update set number = number + 1;
end;

-- How many of each kind were last seen on which day.
create table seen_counts (
    tool_name    text   not null,
    status       text   not null,
    last_seen_on text   not null,
    number       bigint not null,
    primary key (tool_name, status, last_seen_on)
);

create trigger licenses_insert_seen after insert on licenses begin
    insert into seen_counts (tool_name, status, last_seen_on, number)
    values (new.tool_name, new.status, new.last_seen_on, 1)
    on conflict (tool_name, status, last_seen_on) do update set number = number + 1;
end;

create trigger licenses_delete_seen after delete on licenses begin
    update seen_counts set number = number - 1
    where tool_name = old.tool_name and status = old.status and last_seen_on = old.last_seen_on;
    delete from seen_counts
    where tool_name = old.tool_name and status = old.status and last_seen_on = old.last_seen_on
        and number = 0;
end;

create trigger licenses_update_seen after update of tool_name, status, last_seen_on on licenses begin
    update seen_counts set number = number - 1
    where tool_name = old.tool_name and status = old.status and last_seen_on = old.last_seen_on;
    delete from seen_counts
    where tool_name = old.tool_name and status = old.status and last_seen_on = old.last_seen_on
        and number = 0;
    insert into seen_counts (tool_name, status, last_seen_on, number)
    values (new.tool_name, new.status, new.last_seen_on, 1)
    on conflict (tool_name, status, last_seen_on) do update set number = number + 1;
end;

-- What checks have left behind, one row a license. Written once a second at most, never by a check.
create table sightings (
    license_id  integer primary key references licenses (id) on delete cascade,
    last_at     bigint  not null,
    check_count bigint  not null,
    verdict     text    not null,            -- of the last check, as its code: VALID, EXPIRED, …
    address     text    not null,            -- of the last check
    version     text    not null,            -- what a client last said of itself; empty for nothing
    hostname    text    not null,
    user_name   text    not null
);

-- The last 50 of what was different from before; not one row a check.
create table sighting_history (
    license_id integer not null references licenses (id) on delete cascade,
    day        text    not null,             -- in the operator's offset
    verdict    text    not null,
    address    text    not null,
    version    text    not null,
    first_at   bigint  not null,             -- on that day
    primary key (license_id, day, verdict, address, version)
) without rowid;

-- Sightings of a storm, sorted into shards of neighbouring licenses, until they are folded into the
-- two tables above: a million rows in random order would be too much for each second.
create table sightings_waiting (
    id      integer primary key,
    shard   integer not null,
    size    integer not null,                -- characters of entries
    entries text    not null                 -- JSON
);

create index sightings_waiting_by_shard on sightings_waiting (shard, size);

-- Checks of each tool and day, by verdict.
create table check_days (
    tool_name text   not null references tools (name) on update cascade,
    day       text   not null,               -- in the operator's offset
    verdict   text   not null,
    number    bigint not null,
    primary key (tool_name, day, verdict)
) without rowid;

create index check_days_by_day on check_days (day);

-- Keys that asked for one of the tools and have no license; the 10,000 newest.
create table unknown_keys (
    tool_name   text   not null references tools (name) on update cascade,
    license_key text   not null,
    first_at    bigint not null,
    last_at     bigint not null,
    check_count bigint not null,
    address     text   not null,             -- of the last check
    primary key (tool_name, license_key)
);

create index unknown_keys_by_time on unknown_keys (last_at, tool_name, license_key);

-- What the search looks through. With two marks behind each text, every part of it begins a trigram,
-- one of one or two characters too.
create view license_texts as
select id, tool_name || char(3, 3) as tool_name, license_key || char(3, 3) as license_key,
    user_id || char(3, 3) as user_id, note || char(3, 3) as note
from licenses;

-- Any part of tool, key, customer or note, without regard to case or accents. SQLite's own; elsewhere
-- a trigram index on the four columns does the same.
create virtual table license_search using fts5 (
    tool_name, license_key, user_id, note,
    content = 'license_texts', content_rowid = 'id',
    tokenize = 'trigram remove_diacritics 1'
);

-- Its trigrams in their order: the way to those that one or two characters begin.
create virtual table license_terms using fts5vocab (license_search, instance);

create trigger licenses_insert_search after insert on licenses begin
    insert into license_search (rowid, tool_name, license_key, user_id, note)
    select * from license_texts where id = new.id;
end;

create trigger licenses_delete_search before delete on licenses begin
    insert into license_search (license_search, rowid, tool_name, license_key, user_id, note)
    select 'delete', * from license_texts where id = old.id;
end;

-- Not for a value that stays: the index is the dearest part of a write.
create trigger licenses_update_search before update of tool_name, license_key, user_id, note on licenses
when new.tool_name <> old.tool_name or new.license_key <> old.license_key
    or coalesce(new.user_id, '') <> coalesce(old.user_id, '')
    or coalesce(new.note, '') <> coalesce(old.note, '')
begin
    insert into license_search (license_search, rowid, tool_name, license_key, user_id, note)
    select 'delete', * from license_texts where id = old.id;
end;

create trigger licenses_updated_search after update of tool_name, license_key, user_id, note on licenses
when new.tool_name <> old.tool_name or new.license_key <> old.license_key
    or coalesce(new.user_id, '') <> coalesce(old.user_id, '')
    or coalesce(new.note, '') <> coalesce(old.note, '')
begin
    insert into license_search (rowid, tool_name, license_key, user_id, note)
    select * from license_texts where id = new.id;
end;

-- What was done to many licenses at once, and how they were before, for as long as it can be undone.
create table bulk_changes (
    id     integer primary key autoincrement,
    at     bigint  not null,
    who    text    not null,
    what   text    not null,                 -- in words
    number bigint  not null,                 -- of licenses
    undone text,                             -- in words, when it was taken back
    seen   text    not null default ''       -- fingerprint of what was looked at before
);

create table bulk_rows (
    bulk_id    integer not null references bulk_changes (id) on delete cascade,
    license_id bigint  not null,
    before     text    not null,             -- JSON object, as in the audit log
    after      text,                         -- the same; null where it was deleted
    primary key (bulk_id, license_id)
) without rowid;

-- Deleted licenses and what was known of their checks.
create table bulk_licenses (
    bulk_id         integer not null references bulk_changes (id) on delete cascade,
    id              bigint  not null,
    created_at      bigint  not null,
    tool_name       text    not null,
    license_key     text    not null,
    status          text    not null,
    user_id         text,
    expiration_date text,
    last_seen_on    text    not null,
    refused_on      text    not null,
    shared_on       text    not null,
    note            text,
    moved_to        bigint,
    primary key (bulk_id, id)
) without rowid;

create table bulk_sightings (
    bulk_id     integer not null references bulk_changes (id) on delete cascade,
    license_id  bigint  not null,
    last_at     bigint  not null,
    check_count bigint  not null,
    verdict     text    not null,
    address     text    not null,
    version     text    not null,
    hostname    text    not null,
    user_name   text    not null,
    primary key (bulk_id, license_id)
) without rowid;

create table bulk_history (
    bulk_id    integer not null references bulk_changes (id) on delete cascade,
    license_id bigint  not null,
    day        text    not null,
    verdict    text    not null,
    address    text    not null,
    version    text    not null,
    first_at   bigint  not null,
    primary key (bulk_id, license_id, day, verdict, address, version)
) without rowid;

-- Files that were sent to be imported, until that was done or a day is over.
create table imports (
    id        integer primary key autoincrement,
    at        bigint  not null,
    who       text    not null,
    file_name text    not null,
    content   text    not null,              -- empty when it was done
    result    text                           -- in words, when it was done
);

-- What answers are signed with. A row is never deleted: clients in the field may still name it.
create table signing_keys (
    kid         text   primary key,          -- the beginning of the RFC 7638 thumbprint
    private_key text   not null,             -- PKCS #8 as Base64, of P-256
    created_at  bigint not null,
    is_default  bigint not null,             -- 1 for the one that signs for clients that name none
    retired_at  bigint,                      -- since then it signs nothing
    exported_at bigint                       -- when the private key was last written to a file
);

-- Signed answers of each key and day.
create table key_days (
    kid    text   not null references signing_keys (kid),
    day    text   not null,                  -- in the operator's offset
    number bigint not null,
    primary key (kid, day)
) without rowid;

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
