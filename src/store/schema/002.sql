-- Customers and activation codes.

create table customers (
    id         integer primary key autoincrement,
    created_at bigint  not null,
    name       text    not null unique,
    email      text    not null,
    language   text    not null,
    note       text    not null
);

create index customers_by_email on customers (email) where email <> '';

insert into customers (created_at, name, email, language, note)
select min(created_at), user_id, '', '', '' from licenses where user_id <> '' group by user_id order by 1, 2;

create table activation_codes (
    id              integer primary key autoincrement,
    created_at      bigint  not null,
    tool_name       text    not null references tools (name) on update cascade,
    code            text    not null unique,
    is_imported     bigint  not null,
    seats           bigint  not null,
    status          text    not null check (status in ('activated', 'suspended', 'revoked')),
    expiration_date text    not null check (length(expiration_date) = 10 or expiration_date = 'never'),
    days            bigint  not null,
    first_used_at   bigint,
    moves_per_year  bigint  not null,
    customer        text    not null,
    order_ref       text    not null,
    is_test         bigint  not null,
    note            text    not null
);

create index activation_codes_by_tool on activation_codes (tool_name);
create index activation_codes_by_customer on activation_codes (customer) where customer <> '';
create index activation_codes_by_order on activation_codes (order_ref) where order_ref <> '';
create index activation_codes_by_expiration on activation_codes (expiration_date);

create table seat_moves (
    code_id     integer not null references activation_codes (id) on delete cascade,
    license_key text    not null,
    at          bigint  not null,
    primary key (code_id, license_key, at)
) without rowid;

create table code_changes (
    id      integer primary key autoincrement,
    code_id integer not null references activation_codes (id) on delete cascade,
    at      bigint  not null,
    who     text    not null,
    before  text    not null,
    after   text    not null,
    is_undone bigint not null default 0
);

create index code_changes_by_code on code_changes (code_id);

alter table licenses add column code_id bigint references activation_codes (id);
alter table licenses add column own_status text not null default '';
alter table licenses add column own_expiration_date text not null default '';

create index licenses_by_code on licenses (code_id) where code_id is not null;
