-- From version 3 to 4: signed answers, and what each tool wants.

alter table tools add column offline_days bigint not null default 7;
alter table tools add column grace_days bigint not null default 0;
alter table tools add column message text not null default '';
alter table tools add column link text not null default '';

create table signing_keys (
    kid         text   primary key,
    private_key text   not null,
    created_at  bigint not null,
    is_default  bigint not null,
    retired_at  bigint,
    exported_at bigint
);

create table key_days (
    kid    text   not null references signing_keys (kid),
    day    text   not null,
    number bigint not null,
    primary key (kid, day)
) without rowid;
