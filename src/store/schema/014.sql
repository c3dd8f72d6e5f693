-- Renewals of codes as they happened, and what an order did to the status of its codes.

create table code_renewals (
    id              integer primary key autoincrement,
    code_id         integer not null references activation_codes (id) on delete cascade,
    order_id        integer not null references orders (id) on delete cascade,
    item            bigint  not null,
    content         text    not null,
    day             text    not null,
    is_active       bigint  not null,
    expiration_date text    not null,
    days            bigint  not null,
    edition         text    not null,
    features        text    not null,
    updates_until   text    not null
);

create index code_renewals_by_code on code_renewals (code_id);
create index code_renewals_by_order on code_renewals (order_id);

insert into code_renewals (code_id, order_id, item, content, day, is_active, expiration_date, days, edition, features,
    updates_until)
select order_replaced.code_id, orders.id, item.key, item.value, date(orders.created_at, 'unixepoch'), 1, '', 0,
    order_replaced.edition, order_replaced.features, order_replaced.updates_until
from order_replaced join orders on orders.id = order_replaced.order_id join json_each(orders.items) item
where exists (
    select 1 from order_codes join orders other on other.id = order_codes.order_id
    where order_codes.code_id = order_replaced.code_id and other.source = orders.source
        and other.order_ref = json_extract(item.value, '$.renews'))
order by orders.id, item.key;

drop table order_replaced;

alter table order_codes add column revoked_from text not null default '';
alter table order_codes add column is_suspended bigint not null default 0;
update order_codes set revoked_from = 'activated'
where order_id in (select id from orders where is_taken_back = 1);
update order_codes set is_suspended = 1
where code_id in (select id from activation_codes where status = 'suspended');

create index mails_by_end on mails (ended_at) where state = 'sent';
