-- The customer's own page: links to it, and the sessions that they open.

create table customer_links (
    id           integer primary key autoincrement,
    customer_id  integer not null references customers (id) on delete cascade,
    created_at   bigint  not null,
    link_hash    text    not null unique,
    opened_at    bigint,
    session_hash text    not null
);

create index customer_links_by_customer on customer_links (customer_id);
create unique index customer_links_by_session on customer_links (session_hash) where session_hash <> '';
