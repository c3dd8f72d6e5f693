-- Editions, features and updates; trials; machines without a network.

alter table tools add column trial_days bigint not null default 0;
alter table tools add column trials_per_day bigint not null default 0;
alter table tools add column latest_version text not null default '';
alter table tools add column latest_url text not null default '';
alter table tools add column minimum_version text not null default '';
alter table tools add column offline_file_days bigint not null default 365;

create table tool_editions (
    tool_name text   not null references tools (name) on update cascade,
    edition   text   not null,
    features  text   not null,
    place     bigint not null,
    primary key (tool_name, edition)
) without rowid;

alter table licenses add column edition text not null default '';
alter table licenses add column features text not null default '';
alter table licenses add column data text not null default '';
alter table licenses add column updates_until text not null default '';
alter table licenses add column trial text not null default '';
alter table licenses add column offline_until text not null default '';

create index licenses_by_trial on licenses (trial) where trial <> '';

alter table activation_codes add column edition text not null default '';
alter table activation_codes add column features text not null default '';
alter table activation_codes add column data text not null default '';
alter table activation_codes add column updates_until text not null default '';

create table trials (
    tool_name    text   not null references tools (name) on update cascade,
    license_key  text   not null,
    day          text   not null,
    converted_at bigint,
    primary key (tool_name, license_key)
) without rowid;

create index trials_by_day on trials (tool_name, day);
