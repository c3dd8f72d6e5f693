-- Orders.

create table orders (
    id         integer primary key autoincrement,
    created_at bigint  not null,
    source     text    not null,
    order_ref  text    not null,
    customer   text    not null,
    is_test    bigint  not null,
    is_erased  bigint  not null default 0,
    items      text    not null,
    unique (source, order_ref)
);

create index orders_by_reference on orders (order_ref);
create index orders_by_customer on orders (customer) where customer <> '';

create table order_codes (
    order_id integer not null references orders (id) on delete cascade,
    code_id  integer not null references activation_codes (id) on delete cascade,
    item     bigint  not null,
    primary key (order_id, code_id)
) without rowid;

create index order_codes_by_code on order_codes (code_id);

create table order_events (
    order_id  integer not null references orders (id) on delete cascade,
    event_ref text    not null,
    at        bigint  not null,
    content   text    not null,
    primary key (order_id, event_ref)
) without rowid;
