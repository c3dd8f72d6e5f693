-- From version 1 to 2: sightings, counts, and an order by the last check.

alter table licenses add column last_seen_on text not null default '';

drop index licenses_by_tool;
drop index licenses_by_status;
drop index licenses_by_tool_and_status;

create index licenses_by_id on licenses (tool_name, status, id);

create index licenses_by_last_seen on licenses (tool_name, status, last_seen_on, id);

create table license_counts (
    tool_name       text   not null,
    status          text   not null,
    expiration_date text   not null,
    number          bigint not null,
    primary key (tool_name, status, expiration_date)
);

create trigger licenses_insert_count after insert on licenses begin
    insert into license_counts (tool_name, status, expiration_date, number)
    values (new.tool_name, new.status, coalesce(new.expiration_date, ''), 1)
    on conflict (tool_name, status, expiration_date) do update set number = number + 1;
end;

create trigger licenses_delete_count after delete on licenses begin
    update license_counts set number = number - 1
    where tool_name = old.tool_name and status = old.status
        and expiration_date = coalesce(old.expiration_date, '');
    delete from license_counts
    where tool_name = old.tool_name and status = old.status
        and expiration_date = coalesce(old.expiration_date, '') and number = 0;
end;

create trigger licenses_update_count after update of tool_name, status, expiration_date on licenses begin
    update license_counts set number = number - 1
    where tool_name = old.tool_name and status = old.status
        and expiration_date = coalesce(old.expiration_date, '');
    delete from license_counts
    where tool_name = old.tool_name and status = old.status
        and expiration_date = coalesce(old.expiration_date, '') and number = 0;
    insert into license_counts (tool_name, status, expiration_date, number)
    values (new.tool_name, new.status, coalesce(new.expiration_date, ''), 1)
    on conflict (tool_name, status, expiration_date) do update set number = number + 1;
end;

create table sightings (
    license_id  integer primary key references licenses (id) on delete cascade,
    last_at     bigint  not null,
    check_count bigint  not null,
    verdict     text    not null,
    address     text    not null,
    version     text    not null,
    hostname    text    not null,
    user_name   text    not null
);

create table sighting_history (
    license_id integer not null references licenses (id) on delete cascade,
    day        text    not null,
    verdict    text    not null,
    address    text    not null,
    version    text    not null,
    first_at   bigint  not null,
    primary key (license_id, day, verdict, address, version)
) without rowid;

create table sightings_waiting (
    id      integer primary key,
    shard   integer not null,
    size    integer not null,
    entries text    not null
);

create index sightings_waiting_by_shard on sightings_waiting (shard, size);

create table check_days (
    tool_name text   not null references tools (name) on update cascade,
    day       text   not null,
    verdict   text   not null,
    number    bigint not null,
    primary key (tool_name, day, verdict)
) without rowid;

create table unknown_keys (
    tool_name   text   not null references tools (name) on update cascade,
    license_key text   not null,
    first_at    bigint not null,
    last_at     bigint not null,
    check_count bigint not null,
    address     text   not null,
    primary key (tool_name, license_key)
);

create index unknown_keys_by_time on unknown_keys (last_at, tool_name, license_key);

insert into license_counts (tool_name, status, expiration_date, number)
select tool_name, status, coalesce(expiration_date, ''), count(*) from licenses group by 1, 2, 3;
