-- What each item of an order replaced in a code, with the term, in the order in which it happened.

create table order_replacements (
    order_id        integer not null references orders (id) on delete cascade,
    item            bigint  not null,
    code_id         integer not null references activation_codes (id) on delete cascade,
    place           bigint  not null,
    expiration_date text    not null,
    days            bigint  not null,
    edition         text    not null,
    features        text    not null,
    updates_until   text    not null,
    primary key (order_id, item, code_id)
) without rowid;

insert into order_replacements (order_id, item, code_id, place, expiration_date, days, edition, features, updates_until)
select order_replaced.order_id, item.key, order_replaced.code_id, order_replaced.order_id, '', 0,
    order_replaced.edition, order_replaced.features, order_replaced.updates_until
from order_replaced join orders on orders.id = order_replaced.order_id join json_each(orders.items) item
where exists (
    select 1 from order_codes join orders other on other.id = order_codes.order_id
    where order_codes.code_id = order_replaced.code_id and other.source = orders.source
        and other.order_ref = json_extract(item.value, '$.renews'));

drop table order_replaced;
alter table order_replacements rename to order_replaced;
create unique index order_replaced_by_code on order_replaced (code_id, place, item);

create index mails_by_end on mails (ended_at) where state = 'sent';
