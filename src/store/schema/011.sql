-- Editions, features and updates in orders and in the products of shops; events of one order.

alter table orders add column has_entitlements bigint not null default 0;

create table order_replaced (
    order_id      integer not null references orders (id) on delete cascade,
    code_id       integer not null references activation_codes (id) on delete cascade,
    edition       text    not null,
    features      text    not null,
    updates_until text    not null,
    primary key (order_id, code_id)
) without rowid;

create index order_replaced_by_code on order_replaced (code_id);

alter table shop_products add column edition text not null default '';
alter table shop_products add column features text not null default '';
alter table shop_products add column updates_days bigint not null default 0;

create index shop_references_by_order on shop_references (shop_id, order_ref);
create index shop_events_of_order on shop_events (shop_id, reference) where reference <> '';
