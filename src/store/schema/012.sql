-- Webhooks out.

create table webhooks (
    id           integer primary key autoincrement,
    created_at   bigint  not null,
    url          text    not null,
    description  text    not null,
    events       text    not null,
    secret       text    not null,
    old_secret   text    not null,
    old_until    bigint  not null,
    state        text    not null check (state in ('enabled', 'disabled', 'failed', 'gone')),
    taken_at     bigint,
    paused_until bigint  not null
);

create table webhook_deliveries (
    id         integer primary key autoincrement,
    webhook_id integer not null references webhooks (id) on delete cascade,
    created_at bigint  not null,
    queued_at  bigint  not null,
    next_at    bigint  not null,
    ended_at   bigint,
    event      text    not null,
    message_id text    not null,
    body       text    not null,
    state      text    not null check (state in ('waiting', 'delivered', 'failed', 'dropped')),
    attempts   bigint  not null,
    status     bigint,
    answer     text    not null
);

create index webhook_deliveries_by_webhook on webhook_deliveries (webhook_id, state, next_at);
create index webhook_deliveries_by_age on webhook_deliveries (created_at);
