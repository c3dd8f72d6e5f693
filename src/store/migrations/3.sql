-- From version 2 to 3: notes, moves, orders and counts for every filter, changes of many, imports.

alter table licenses add column refused_on text not null default '';
alter table licenses add column shared_on text not null default '';
alter table licenses add column note text;
alter table licenses add column moved_to bigint;

update licenses set refused_on = last_seen_on
where id in (select license_id from sightings where verdict <> 'VALID');

update licenses set shared_on = coalesce((
    select max(day) from (
        select day from sighting_history where license_id = licenses.id
        group by day having count(distinct address) > 1
    )), '')
where id in (select license_id from sighting_history);

drop index licenses_by_user;
drop index licenses_by_id;
drop index licenses_by_last_seen;

create index licenses_by_customer on licenses (coalesce(user_id, ''), id);
-- One for each order of the table: a piece of it is merged from the pieces of each tool and status.
-- The last columns are there so that the filters by date need not look into the table.
create index licenses_by_id on licenses (tool_name, status, id, expiration_date);
create index licenses_by_last_seen on licenses (tool_name, status, last_seen_on, id, expiration_date);
create index licenses_by_end on licenses (tool_name, status, coalesce(expiration_date, 'never'), id);
-- Few rows each.
create index licenses_refused on licenses (refused_on, id, tool_name, status, expiration_date)
    where refused_on <> '';
create index licenses_shared on licenses (shared_on, id) where shared_on <> '';
create index licenses_moved on licenses (moved_to) where moved_to is not null;

create table seen_counts (
    tool_name    text   not null,
    status       text   not null,
    last_seen_on text   not null,
    number       bigint not null,
    primary key (tool_name, status, last_seen_on)
);

create trigger licenses_insert_seen after insert on licenses begin
    insert into seen_counts (tool_name, status, last_seen_on, number)
    values (new.tool_name, new.status, new.last_seen_on, 1)
    on conflict (tool_name, status, last_seen_on) do update set number = number + 1;
end;

create trigger licenses_delete_seen after delete on licenses begin
    update seen_counts set number = number - 1
    where tool_name = old.tool_name and status = old.status and last_seen_on = old.last_seen_on;
    delete from seen_counts
    where tool_name = old.tool_name and status = old.status and last_seen_on = old.last_seen_on
        and number = 0;
end;

create trigger licenses_update_seen after update of tool_name, status, last_seen_on on licenses begin
    update seen_counts set number = number - 1
    where tool_name = old.tool_name and status = old.status and last_seen_on = old.last_seen_on;
    delete from seen_counts
    where tool_name = old.tool_name and status = old.status and last_seen_on = old.last_seen_on
        and number = 0;
    insert into seen_counts (tool_name, status, last_seen_on, number)
    values (new.tool_name, new.status, new.last_seen_on, 1)
    on conflict (tool_name, status, last_seen_on) do update set number = number + 1;
end;

insert into seen_counts (tool_name, status, last_seen_on, number)
select tool_name, status, last_seen_on, count(*) from licenses
group by tool_name, status, last_seen_on;

create index check_days_by_day on check_days (day);

drop trigger licenses_insert_search;
drop trigger licenses_delete_search;
drop trigger licenses_update_search;
drop table license_search;

create virtual table license_search using fts5 (
    tool_name, license_key, user_id, note,
    content = 'licenses', content_rowid = 'id',
    tokenize = 'trigram remove_diacritics 1'
);

create trigger licenses_insert_search after insert on licenses begin
    insert into license_search (rowid, tool_name, license_key, user_id, note)
    values (new.id, new.tool_name, new.license_key, new.user_id, new.note);
end;

create trigger licenses_delete_search after delete on licenses begin
    insert into license_search (license_search, rowid, tool_name, license_key, user_id, note)
    values ('delete', old.id, old.tool_name, old.license_key, old.user_id, old.note);
end;

-- Not for a value that stays: the index is the dearest part of a write.
create trigger licenses_update_search after update of tool_name, license_key, user_id, note on licenses
when new.tool_name <> old.tool_name or new.license_key <> old.license_key
    or coalesce(new.user_id, '') <> coalesce(old.user_id, '')
    or coalesce(new.note, '') <> coalesce(old.note, '')
begin
    insert into license_search (license_search, rowid, tool_name, license_key, user_id, note)
    values ('delete', old.id, old.tool_name, old.license_key, old.user_id, old.note);
    insert into license_search (rowid, tool_name, license_key, user_id, note)
    values (new.id, new.tool_name, new.license_key, new.user_id, new.note);
end;

insert into license_search (license_search) values ('rebuild');

-- What was done to many licenses at once, and how they were before, for as long as it can be undone.
create table bulk_changes (
    id     integer primary key autoincrement,
    at     bigint  not null,
    who    text    not null,
    what   text    not null,                 -- in words
    number bigint  not null,                 -- of licenses
    undone text                              -- in words, when it was taken back
);

create table bulk_rows (
    bulk_id    integer not null references bulk_changes (id) on delete cascade,
    license_id bigint  not null,
    before     text    not null,             -- JSON object, as in the audit log
    after      text,                         -- the same; null where it was deleted
    primary key (bulk_id, license_id)
) without rowid;

-- Deleted licenses and what was known of their checks.
create table bulk_licenses (
    bulk_id         integer not null references bulk_changes (id) on delete cascade,
    id              bigint  not null,
    created_at      bigint  not null,
    tool_name       text    not null,
    license_key     text    not null,
    status          text    not null,
    user_id         text,
    expiration_date text,
    last_seen_on    text    not null,
    refused_on      text    not null,
    shared_on       text    not null,
    note            text,
    moved_to        bigint,
    primary key (bulk_id, id)
) without rowid;

create table bulk_sightings (
    bulk_id     integer not null references bulk_changes (id) on delete cascade,
    license_id  bigint  not null,
    last_at     bigint  not null,
    check_count bigint  not null,
    verdict     text    not null,
    address     text    not null,
    version     text    not null,
    hostname    text    not null,
    user_name   text    not null,
    primary key (bulk_id, license_id)
) without rowid;

create table bulk_history (
    bulk_id    integer not null references bulk_changes (id) on delete cascade,
    license_id bigint  not null,
    day        text    not null,
    verdict    text    not null,
    address    text    not null,
    version    text    not null,
    first_at   bigint  not null,
    primary key (bulk_id, license_id, day, verdict, address, version)
) without rowid;

create table imports (
    id        integer primary key autoincrement,
    at        bigint  not null,
    who       text    not null,
    file_name text    not null,
    content   text    not null,              -- empty when it was done
    result    text                           -- in words, when it was done
);
