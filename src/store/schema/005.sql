-- Shops.

create table shops (
    id         integer primary key autoincrement,
    created_at bigint  not null,
    kind       text    not null,
    name       text    not null,
    secret     text    not null,
    is_enabled bigint  not null,
    is_test    bigint  not null,
    fields     text    not null,
    refused_at bigint,
    refusal    text    not null
);

create unique index shops_by_secret on shops (secret) where kind = 'generator';

create table shop_products (
    id              integer primary key autoincrement,
    shop_id         integer not null references shops (id) on delete cascade,
    product         text    not null,
    tool_name       text    not null references tools (name) on update cascade,
    seats           bigint  not null,
    expiration_date text    not null,
    days            bigint  not null,
    unique (shop_id, product)
);

create index shop_products_by_tool on shop_products (tool_name);

create table shop_references (
    shop_id   integer not null references shops (id) on delete cascade,
    reference text    not null,
    order_ref text    not null,
    primary key (shop_id, reference)
) without rowid;

create table shop_payments (
    shop_id     integer not null references shops (id) on delete cascade,
    order_ref   text    not null,
    is_refunded bigint  not null,
    is_disputed bigint  not null,
    disputed_at bigint  not null,
    primary key (shop_id, order_ref)
) without rowid;

create table shop_events (
    id          integer primary key autoincrement,
    shop_id     integer not null references shops (id) on delete cascade,
    received_at bigint  not null,
    happened_at bigint  not null,
    event_ref   text    not null,
    kind        text    not null,
    headers     text    not null,
    body        text    not null,
    state       text    not null,
    outcome     text    not null,
    reference   text    not null
);

create unique index shop_events_by_reference on shop_events (shop_id, event_ref) where event_ref <> '';
create index shop_events_by_shop on shop_events (shop_id, id);
create index shop_events_waiting on shop_events (shop_id, reference) where state = 'waiting';
