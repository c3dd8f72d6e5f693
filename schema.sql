-- The current schema; the first file to read. A test compares it with the steps in src/store/schema.
--
-- Times are Unix seconds, dates are `YYYY-MM-DD` text, secrets are SHA-256 in lower-case hex.
-- Only the types text and integer/bigint, so that another database can carry the same statements.
-- The empty text is "none", so that no statement needs null, except for references.

-- The programs that are sold. A tool is added by the admin, or with its first license.
create table tools (
    name         text   primary key,         -- 1 to 100 characters, compared byte for byte
    created_at   bigint not null,
    offline_days bigint not null default 7,  -- how long a client may run on a signed answer; 0 for not at all
    grace_days   bigint not null default 0,  -- how long a license works after its expiration date
    message      text   not null default '', -- for refused customers, in signed answers
    link         text   not null default '', -- where they can go
    is_added     bigint not null default 0,  -- 1 if the admin added it: listed also without a license
    vendor       text   not null default '', -- who sells it, for customers
    support_email text  not null default '', -- where customers get help
    trial_days   bigint not null default 0,  -- of a machine's one trial; 0 for none
    trials_per_day bigint not null default 0, -- new ones at most; 0 for any number
    latest_version text not null default '', -- for its clients, as the next two
    latest_url   text   not null default '',
    minimum_version text not null default '',
    offline_file_days bigint not null default 365 -- how long an offline file is good for at most
);

-- Named sets of a tool's features.
create table tool_editions (
    tool_name text   not null references tools (name) on update cascade,
    edition   text   not null,
    features  text   not null,               -- separated by commas
    place     bigint not null,               -- in the list of the tool
    primary key (tool_name, edition)
) without rowid;

-- What was sold: a code for a number of machines.
create table activation_codes (
    id              integer primary key autoincrement,
    created_at      bigint  not null,
    tool_name       text    not null references tools (name) on update cascade,
    code            text    not null unique, -- upper case, without hyphens
    is_imported     bigint  not null,        -- 1 for a code of an older system
    seats           bigint  not null,        -- licenses that it may have
    status          text    not null check (status in ('activated', 'suspended', 'revoked')),
    expiration_date text    not null check (length(expiration_date) = 10 or expiration_date = 'never'),
    days            bigint  not null,        -- of a term that begins with the first activation; 0 once it has begun
    first_used_at   bigint,                  -- the first activation
    moves_per_year  bigint  not null,        -- times that each seat can be freed by its customer
    customer        text    not null,        -- the name; empty for none
    order_ref       text    not null,
    is_test         bigint  not null,        -- 1 for one of a test order
    note            text    not null,
    edition         text    not null default '', -- of its licenses that have none of their own, as the next three
    features        text    not null default '',
    data            text    not null default '',
    updates_until   text    not null default ''
);

create index activation_codes_by_tool on activation_codes (tool_name);
create index activation_codes_imported on activation_codes (tool_name) where is_imported = 1;
create index activation_codes_by_customer on activation_codes (customer) where customer <> '';
create index activation_codes_by_order on activation_codes (order_ref) where order_ref <> '';
create index activation_codes_by_expiration on activation_codes (expiration_date);

-- Which machine may run which tool.
create table licenses (
    id              integer primary key autoincrement, -- never used again
    created_at      bigint  not null,
    tool_name       text    not null references tools (name) on update cascade,
    license_key     text    not null,        -- 1 to 255 characters; a MAC address as 0a:1b:2c:3d:4e:5f
    status          text    not null check (status in ('activated', 'suspended', 'revoked')),
    user_id         text    not null,        -- the customer, in the admin's words
    expiration_date text    not null check (length(expiration_date) = 10 or expiration_date = 'never'),
    note            text    not null,        -- by the admin
    order_ref       text    not null default '', -- of the purchase; up to 100 characters
    last_seen_on    text    not null default '', -- the operator's day of the last check
    refused_on      text    not null default '', -- the same day, where that check was refused
    shared_on       text    not null default '', -- the last day with checks from several addresses
    seen_version    text    not null default '', -- of the tool, as its client last reported
    address_count   bigint  not null default 0,  -- different addresses in the 30 days before the last new one
    host_count      bigint  not null default 0,  -- and host names
    moved_to        bigint,                  -- the license of the machine that replaced this one
    code_id         bigint references activation_codes (id), -- whose seat it takes; null if it was added by hand
    own_status      text    not null default '', -- of a seat: what was decided about this license alone
    own_expiration_date text not null default '', -- of a seat: what it was given by hand; `never` for perpetual
    edition         text    not null default '', -- of this license alone, as the next three; else those of its code
    features        text    not null default '', -- besides those of the edition, separated by commas
    data            text    not null default '', -- for the program; up to 1,024 bytes
    updates_until   text    not null default '', -- the last build date that it covers
    trial           text    not null default '', -- `yes` while nobody has bought it
    offline_until   text    not null default '', -- the last day of its machine's offline file
    unique (tool_name, license_key)          -- the check's point read
);

-- A second access path: before a key is "not found" this one must say so too.
create index licenses_by_key on licenses (license_key);
-- One for each order of the table; each ends in the id.
create index licenses_by_created on licenses (created_at);
create index licenses_by_customer on licenses (user_id);
create index licenses_by_expiration on licenses (expiration_date);
create index licenses_by_last_seen on licenses (last_seen_on);
-- Few rows each.
create index licenses_by_other_status on licenses (status) where status <> 'activated';
create index licenses_refused on licenses (refused_on) where refused_on <> '';
create index licenses_shared on licenses (shared_on) where shared_on <> '';
create index licenses_by_addresses on licenses (address_count);
create index licenses_by_version on licenses (seen_version, tool_name) where seen_version <> '';
create index licenses_used_after_expiration on licenses (last_seen_on)
    where last_seen_on > expiration_date;
create index licenses_moved on licenses (moved_to) where moved_to is not null;
create index licenses_by_trial on licenses (trial) where trial <> '';
create index licenses_by_code on licenses (code_id) where code_id is not null;

-- Who bought. A license names its customer in `user_id`.
create table customers (
    id         integer primary key autoincrement,
    created_at bigint  not null,
    name       text    not null unique,      -- as in `user_id`, 1 to 255 characters
    email      text    not null,
    language   text    not null,             -- of mails: `en`, `de`, …
    note       text    not null
);

create index customers_by_email on customers (email) where email <> '';

-- Links to the customer's own page. A link is used once, and its row becomes the session.
create table customer_links (
    id           integer primary key autoincrement,
    customer_id  integer not null references customers (id) on delete cascade,
    created_at   bigint  not null,
    link_hash    text    not null unique,    -- SHA-256 of the secret in the link
    opened_at    bigint,                     -- when it was used
    session_hash text    not null            -- SHA-256 of the cookie's value; empty until then
);

create index customer_links_by_customer on customer_links (customer_id);
create unique index customer_links_by_session on customer_links (session_hash) where session_hash <> '';

-- Seats that their customers freed. A row goes when the same machine comes back.
create table seat_moves (
    code_id     integer not null references activation_codes (id) on delete cascade,
    license_key text    not null,            -- of the machine that was removed
    at          bigint  not null,
    primary key (code_id, license_key, at)
) without rowid;

-- Changes of a code, for undo.
create table code_changes (
    id      integer primary key autoincrement,
    code_id integer not null references activation_codes (id) on delete cascade,
    at      bigint  not null,
    who     text    not null,
    before  text    not null,                -- JSON objects of what people decide about a code
    after   text    not null,
    is_undone bigint not null default 0
);

create index code_changes_by_code on code_changes (code_id);

-- Purchases.
create table orders (
    id         integer primary key autoincrement,
    created_at bigint  not null,
    source     text    not null,             -- who sent it: `token 3`, `shop 2`, `user 1`
    order_ref  text    not null,             -- unique for each of them
    customer   text    not null,             -- the name; empty for none
    is_test    bigint  not null,
    is_erased  bigint  not null default 0,   -- 1: sent again, it does not bring the person back
    items      text    not null,             -- JSON, after defaults
    is_taken_back bigint not null default 0, -- 1: revoked, and what it did to other orders is undone
    has_entitlements bigint not null default 0, -- 0: its edition, features and updates were ignored
    unique (source, order_ref)
);

create index orders_by_reference on orders (order_ref);
create index orders_by_customer on orders (customer) where customer <> '';

-- The codes that were made for an order.
create table order_codes (
    order_id integer not null references orders (id) on delete cascade,
    code_id  integer not null references activation_codes (id) on delete cascade,
    item     bigint  not null,               -- counted from 0
    revoked_from text not null default '',   -- the code's status before the order revoked it; empty if it did not
    is_suspended bigint not null default 0,  -- 1 once the order suspended it
    primary key (order_id, code_id)
) without rowid;

create index order_codes_by_code on order_codes (code_id);

-- Renewals and extensions of codes, in the order in which they were sold.
create table code_renewals (
    id              integer primary key autoincrement,
    code_id         integer not null references activation_codes (id) on delete cascade,
    order_id        integer not null references orders (id) on delete cascade,
    item            bigint  not null,        -- of the order, counted from 0; -1 for an extension of the order itself
    content         text    not null,        -- an item of an order, as JSON
    day             text    not null,        -- on which it counts
    is_active       bigint  not null,        -- 0 once it is taken back
    expiration_date text    not null,        -- of the code before it, as the rest; empty if it was not kept
    days            bigint  not null,
    edition         text    not null,
    features        text    not null,
    updates_until   text    not null
);

create index code_renewals_by_code on code_renewals (code_id);
create index code_renewals_by_order on code_renewals (order_id);

-- What happened to an order and must happen only once.
create table order_events (
    order_id  integer not null references orders (id) on delete cascade,
    event_ref text    not null,
    at        bigint  not null,
    content   text    not null,              -- what was asked, to compare
    primary key (order_id, event_ref)
) without rowid;

-- Shops that place orders by themselves.
create table shops (
    id         integer primary key autoincrement,
    created_at bigint  not null,
    kind       text    not null,             -- `generator`, `stripe`, `paddle`
    name       text    not null,
    secret     text    not null,             -- of a generator, the SHA-256 of the one in its address; of the others, what
                                             -- they sign with: empty until it is entered
    is_enabled bigint  not null,
    is_test    bigint  not null,             -- 1: all its orders are tests
    fields     text    not null,             -- of a generator: what the shop calls them, as JSON
    refused_at bigint,                       -- the last call with a wrong signature, to the minute
    refusal    text    not null              -- why
);

create unique index shops_by_secret on shops (secret) where kind = 'generator';

-- What a shop sells.
create table shop_products (
    id              integer primary key autoincrement,
    shop_id         integer not null references shops (id) on delete cascade,
    product         text    not null,        -- the shop's number of the product or price
    tool_name       text    not null references tools (name) on update cascade,
    seats           bigint  not null,
    expiration_date text    not null,        -- this or `days`, or neither for perpetual
    days            bigint  not null,
    edition         text    not null default '',
    features        text    not null default '',
    updates_days    bigint  not null default 0, -- counted from the sale; 0 for no limit
    unique (shop_id, product)
);

create index shop_products_by_tool on shop_products (tool_name);

-- Payments, subscriptions and invoices of a shop's orders, by which it names them later.
create table shop_references (
    shop_id   integer not null references shops (id) on delete cascade,
    reference text    not null,
    order_ref text    not null,
    primary key (shop_id, reference)
) without rowid;

create index shop_references_by_order on shop_references (shop_id, order_ref);

-- What happened to the money of a shop's orders.
create table shop_payments (
    shop_id     integer not null references shops (id) on delete cascade,
    order_ref   text    not null,
    is_refunded bigint  not null,
    is_disputed bigint  not null,
    disputed_at bigint  not null,            -- the newest event of the dispute; older ones change nothing
    primary key (shop_id, order_ref)
) without rowid;

-- Calls of shops as they came, and what was made of them.
create table shop_events (
    id          integer primary key autoincrement,
    shop_id     integer not null references shops (id) on delete cascade,
    received_at bigint  not null,
    happened_at bigint  not null,            -- as the shop says
    event_ref   text    not null,            -- the same one has one effect; empty for a generator
    kind        text    not null,            -- as the shop calls it
    headers     text    not null,
    body        text    not null,
    state       text    not null,            -- `done`, `ignored`, `waiting`, `failed`
    outcome     text    not null,            -- in words
    reference   text    not null             -- what a waiting event waits for
);

create unique index shop_events_by_reference on shop_events (shop_id, event_ref) where event_ref <> '';
create index shop_events_by_shop on shop_events (shop_id, id);
create index shop_events_waiting on shop_events (shop_id, reference) where state = 'waiting';
create index shop_events_of_order on shop_events (shop_id, reference) where reference <> '';
create index shop_events_failed on shop_events (shop_id, received_at) where state = 'failed';

-- Which license had a pair of tool and key once, and the entry of the audit log that ended it.
create table former_pairs (
    license_key text   not null,
    tool_name   text   not null,
    license_id  bigint not null,
    audit_id    bigint not null,
    primary key (license_key, tool_name, audit_id)
) without rowid;

-- Machines that had their one trial of a tool. A row stays when the license goes.
create table trials (
    tool_name    text   not null references tools (name) on update cascade,
    license_key  text   not null,
    day          text   not null,            -- on which it began, in the operator's offset
    converted_at bigint,                     -- when it became a license; null if it did not
    primary key (tool_name, license_key)
) without rowid;

create index trials_by_day on trials (tool_name, day);

-- The last check of each license. Written once a second, never by a check itself.
create table last_checks (
    license_id  integer primary key references licenses (id) on delete cascade,
    last_at     bigint  not null,
    check_count bigint  not null,
    refused_count bigint not null,           -- refused checks on the day of the last check
    verdict     text    not null,            -- of the last check, as its code: VALID, EXPIRED, …
    address     text    not null,            -- of the last check
    version     text    not null,            -- this and the next two as a client last reported
    hostname    text    not null,
    user_name   text    not null
);

-- Checks that differed from the one before; the last 50 of each license, not one row per check.
create table check_history (
    license_id integer not null references licenses (id) on delete cascade,
    day        text    not null,             -- in the operator's offset
    verdict    text    not null,
    address    text    not null,
    version    text    not null,
    first_at   bigint  not null,             -- on that day
    primary key (license_id, day, verdict, address, version)
) without rowid;

-- Where each license was checked from: the last 40 addresses, and the last 15 host names of each.
create table check_places (
    license_id integer not null references licenses (id) on delete cascade,
    address    text    not null,
    hostname   text    not null,             -- empty if the client did not report it
    user_name  text    not null,             -- this and the version as last reported there
    version    text    not null,
    first_at   bigint  not null,
    last_on    text    not null,             -- the operator's day of the last check
    primary key (license_id, address, hostname)
) without rowid;

-- Checks of each tool and day, by verdict.
create table check_days (
    tool_name text   not null references tools (name) on update cascade,
    day       text   not null,               -- in the operator's offset
    verdict   text   not null,
    number    bigint not null,
    primary key (tool_name, day, verdict)
) without rowid;

create index check_days_by_day on check_days (day);

-- Machines that have checked and have no license: the 10,000 last seen, of which at most 1,000 checked a tool
-- that does not exist.
create table unlicensed_machines (
    tool_name   text   not null,             -- as sent
    license_key text   not null,
    first_at    bigint not null,
    last_at     bigint not null,
    check_count bigint not null,
    address     text   not null,             -- of the last check
    previous_license_key text,               -- as the client reported it
    version     text   not null,             -- this and the next two as a client last reported
    hostname    text   not null,
    user_name   text   not null,
    decision    text   not null default '' check (decision in ('', 'dismissed', 'blocked')),
    decided_at  bigint not null default 0,
    customer_name text not null default '',  -- this and the next one as a client last reported
    customer_email text not null default '',
    primary key (tool_name, license_key)
);

create index unlicensed_machines_by_time on unlicensed_machines (last_at, tool_name, license_key);

-- Changes of many licenses, imports included.
create table bulk_changes (
    id          integer primary key autoincrement,
    at          bigint  not null,
    who         text    not null,
    what        text    not null,            -- in words
    fingerprint text    not null,            -- of what was previewed
    state       text    not null check (state in ('running', 'done', 'undone')),
    number      bigint  not null,            -- of licenses changed so far
    undone      text    not null             -- in words, once it was undone
);

create index bulk_changes_running on bulk_changes (id) where state = 'running';

-- Their journal, kept for as long as they can be undone.
create table bulk_rows (
    bulk_id    integer not null references bulk_changes (id) on delete cascade,
    license_id bigint  not null,
    audit_id   bigint  not null,             -- a later entry about the license: it was changed since
    before     text    not null,             -- JSON object of the whole row; empty for an added license
    checks     text    not null,             -- JSON of what was known of a deleted license's checks
    primary key (bulk_id, license_id)
) without rowid;

-- Uploaded files, until they are imported or a day has passed.
create table imports (
    id        integer primary key autoincrement,
    at        bigint  not null,
    who       text    not null,
    file_name text    not null,
    content   text    not null,              -- empty once it was imported
    notes     text    not null,              -- how it was decoded, in words; one a line
    options   text    not null,              -- JSON object: how it is to be read
    bulk_id   bigint                         -- what the import was; null until then
);

-- What answers are signed with. A row is never deleted: clients in the field may still name it.
create table signing_keys (
    id          integer primary key autoincrement,
    kid         text    not null unique,     -- the beginning of the RFC 7638 thumbprint
    private_key text    not null,            -- PKCS #8 as Base64, of P-256
    created_at  bigint  not null,
    is_default  bigint  not null,            -- 1 for the one that signs for clients that name none
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
    created_at    bigint  not null,
    email         text    not null default '', -- empty for none
    role          text    not null default 'owner', -- viewer, staff or owner
    is_disabled   bigint  not null default 0, -- 1 for a person who cannot sign in
    totp_secret   text    not null default '', -- base32; empty without a second factor
    totp_step     bigint  not null default 0, -- of the newest code that was used
    has_random_password bigint not null default 0, -- 1 until the person has chosen another one
    signed_in_at  bigint                     -- the last time; empty before the first
);

-- Links with which people set their first password; a link is deleted once it is used.
create table invitations (
    id         integer primary key autoincrement,
    token_hash text    not null unique,      -- SHA-256 of the secret in the link
    name       text    not null,
    email      text    not null,
    role       text    not null,
    invited_by integer not null references users (id) on delete cascade,
    created_at bigint  not null
);

-- Each signs in once instead of a code of the second factor.
create table recovery_codes (
    user_id   integer not null references users (id) on delete cascade,
    code_hash text    not null,              -- SHA-256
    primary key (user_id, code_hash)
) without rowid;

-- Who is signed in.
create table sessions (
    id           integer primary key autoincrement,
    token_hash   text    not null unique,    -- of the cookie's value
    user_id      integer not null references users (id) on delete cascade,
    created_at   bigint  not null,
    last_used_at bigint  not null,           -- written at most once a minute
    address      text    not null,           -- at sign-in
    user_agent   text    not null,           -- at sign-in
    confirmed_at bigint  not null default 0, -- when the password was last asked for
    networks     text    not null default '' -- in which the person signed in in this browser, separated by spaces
);

create index sessions_by_user on sessions (user_id);

-- Tokens for scripts.
create table api_tokens (
    id           integer primary key autoincrement,
    token_hash   text    not null unique,    -- of `lsk_` and what follows
    user_id      integer not null references users (id) on delete cascade,
    name         text    not null,
    scopes       text    not null,           -- licenses:read, licenses:write, metrics:read, separated by spaces
    created_at   bigint  not null,
    expires_at   bigint  not null,
    last_used_at bigint,                     -- with the address, written at most once a minute
    last_used_address text
);

-- What was done, and by whom. Rows are only ever added; each is chained to the one before. After a time, old
-- sign-ins lose their details.
create table audit (
    id         integer primary key,          -- counts up by one, without a gap
    at         bigint not null,
    kind       text   not null,              -- such as `license changed`
    who        bigint not null,              -- personal: a user's name, `token NAME`, or `command line`
    address    bigint not null,              -- personal; empty on the command line
    license_id bigint,                       -- also after the license is gone
    before     text   not null,              -- JSON object; [17] stands for the personal value 17
    after      text   not null,              -- JSON object
    hash       text   not null,              -- SHA-256 over the hash before and everything in this row; 160 bits of it in old rows
    content    text   not null default '',   -- once the details of a sign-in were removed: their hash
    code_id    bigint                        -- the activation code; not in the chain, only to find the entry
);

create index audit_by_license on audit (license_id) where license_id is not null;
create index audit_by_code on audit (code_id) where code_id is not null;
-- Read at each start: none of these keys may be missing.
create index audit_of_signing_keys on audit (id) where kind = 'signing key created';

-- For removing the details of old sign-ins.
create index audit_sign_ins on audit (at) where content = '' and kind in (
    'signed in', 'sign-in failed', 'second factor failed', 'sign-in throttled', 'token refused', 'session refused', 'signed out', 'session ended');

-- For what the overview warns of.
create index audit_alerts on audit (kind, at) where kind in (
    'signed in', 'sign-in failed', 'second factor failed', 'sign-in throttled', 'token refused', 'person added', 'person changed', 'person enabled', 'second factor removed', 'second factor reset', 'alerts seen');

create trigger audit_is_append_only before update on audit
    -- The details of a sign-in may be replaced by their hash.
    when not (old.content = '' and new.content <> '' and old.kind in (
            'signed in', 'sign-in failed', 'second factor failed', 'sign-in throttled', 'token refused', 'session refused', 'signed out', 'session ended')
        and new.id = old.id and new.at = old.at and new.kind = old.kind and new.hash = old.hash
        and new.who = 0 and new.address = 0 and new.license_id is null
        and new.before = '' and new.after = '')
begin
    select raise(abort, 'the audit log is append-only');
end;

create trigger audit_keeps_rows before delete on audit begin
    select raise(abort, 'the audit log is append-only');
end;

-- What the audit log says about people. The chain has salted hashes only, so that a value can be erased
-- and the chain still be verified.
create table personal_values (
    id    integer primary key,
    salt  text not null,                     -- empty once the value was erased
    value text not null                      -- once it was erased: the hash that the chain has
);

create unique index personal_values_by_value on personal_values (value) where salt <> '';

-- One row: shows whether a leftover licenses.db-wal belongs to this file.
create table file_marks (
    id   integer primary key,
    mark text not null
);

-- The last backup that was proven to be good, and the last that failed; forgotten by a restore.
create table backups (
    outcome text   primary key check (outcome in ('made', 'failed')),
    at      bigint not null,
    path    text   not null,                 -- where to
    bytes   bigint not null,                 -- 0 for a failure
    reason  text   not null                  -- of a failure, in words
);

-- At most one row: this database was restored from a backup. Until somebody ends it, and for seven days at most,
-- a pair of tool and key that is not here may have been added after the backup.
create table restores (
    id        integer primary key,
    at        bigint  not null,
    newest_at bigint  not null,              -- the newest moment in the backup
    is_ended  bigint  not null
);

-- Mails: the outbox, and what became of each.
create table mails (
    id         integer primary key autoincrement,
    created_at bigint  not null,
    queued_at  bigint  not null,             -- later, if it was sent again by hand
    next_at    bigint  not null,             -- of a waiting mail: not before
    ended_at   bigint,                       -- when its state was decided
    event      text    not null,             -- why it is sent
    event_key  text    not null,             -- an event has one mail; empty for a mail by hand
    message_id text    not null unique,
    recipient  text    not null,
    customer   text    not null,             -- empty for none
    language   text    not null,
    subject    text    not null,
    body       text    not null,
    state      text    not null check (state in ('waiting', 'sending', 'sent', 'uncertain', 'failed', 'dropped')),
    attempts   bigint  not null,
    error      text    not null              -- the last one, in the words of the mail server
);

create unique index mails_by_event on mails (event_key) where event_key <> '';
create index mails_by_customer on mails (customer) where customer <> '';
create index mails_by_state on mails (state, next_at);
create index mails_by_end on mails (ended_at) where state = 'sent';

-- What a mail is about, in the order in which it was added; looked at again before it is sent.
create table mail_topics (
    id              integer primary key autoincrement,
    mail_id         integer not null references mails (id) on delete cascade,
    license_id      bigint,                  -- also of a license that is gone
    code_id         bigint,
    expiration_date text    not null,        -- of a reminder: what it says; otherwise empty
    step            bigint  not null         -- of a reminder: of the setting reminder_days; otherwise 0
);

create index mail_topics_by_mail on mail_topics (mail_id);
create index mail_topics_by_license on mail_topics (license_id) where license_id is not null;
create index mail_topics_by_code on mail_topics (code_id) where code_id is not null;

-- Texts that replace the built-in ones.
create table mail_texts (
    tool_name text not null,                 -- empty for all tools
    event     text not null,
    language  text not null,
    subject   text not null,
    body      text not null,
    primary key (tool_name, event, language)
) without rowid;

-- Webhooks: who is told of changes.
create table webhooks (
    id           integer primary key autoincrement,
    created_at   bigint  not null,
    url          text    not null,
    description  text    not null,
    events       text    not null,           -- separated by blanks; empty for all
    secret       text    not null,           -- readable, because it signs
    old_secret   text    not null,           -- signs, too, until old_until; empty for none
    old_until    bigint  not null,
    state        text    not null check (state in ('enabled', 'disabled', 'failed', 'gone')),
    taken_at     bigint,                     -- when something was last delivered
    paused_until bigint  not null            -- it does not answer: nothing is sent before
);

-- Events on their way to receivers; each has one row for each of them.
create table webhook_deliveries (
    id         integer primary key autoincrement,
    webhook_id integer not null references webhooks (id) on delete cascade,
    created_at bigint  not null,
    queued_at  bigint  not null,             -- later, if it was delivered again by hand
    next_at    bigint  not null,             -- of a waiting one: not before
    ended_at   bigint,                       -- when its state was decided
    event      text    not null,
    message_id text    not null,             -- the same for each attempt
    body       text    not null,             -- names nobody
    state      text    not null check (state in ('waiting', 'delivered', 'failed', 'dropped')),
    attempts   bigint  not null,
    status     bigint,                       -- of the last answer
    answer     text    not null              -- its beginning, or why there was none
);

create index webhook_deliveries_by_webhook on webhook_deliveries (webhook_id, state, next_at);
create index webhook_deliveries_by_age on webhook_deliveries (created_at);

-- SQLite's own from here on; elsewhere a trigram index on the same texts does the same.

-- Folded texts of each license (`Values::search_text`), by trigrams; which license it is, no more.
create virtual table license_search using fts5 (
    texts, content = '', columnsize = 0, detail = none,
    tokenize = 'trigram case_sensitive 1'
);

-- Its trigrams in order: the access path for one or two characters that begin a trigram.
create virtual table license_terms using fts5vocab (license_search, instance);
