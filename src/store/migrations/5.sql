-- From version 4 to 5: more filters by two dates are answered from one index; a form that is sent twice
-- is known again.

drop index licenses_by_end;
create index licenses_by_end on licenses (tool_name, status, coalesce(expiration_date, 'never'), id, last_seen_on);

drop index licenses_shared;
create index licenses_shared on licenses (shared_on, id, tool_name, status, expiration_date)
    where shared_on <> '';

alter table bulk_changes add column seen text not null default '';
