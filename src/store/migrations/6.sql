-- From version 5 to 6: the index of fragments knows those of one and two characters too.

drop trigger licenses_insert_search;
drop trigger licenses_delete_search;
drop trigger licenses_update_search;
drop table license_search;

create view license_texts as
select id, tool_name || char(3, 3) as tool_name, license_key || char(3, 3) as license_key,
    user_id || char(3, 3) as user_id, note || char(3, 3) as note
from licenses;

create virtual table license_search using fts5 (
    tool_name, license_key, user_id, note,
    content = 'license_texts', content_rowid = 'id',
    tokenize = 'trigram remove_diacritics 1'
);

create virtual table license_terms using fts5vocab (license_search, instance);

create trigger licenses_insert_search after insert on licenses begin
    insert into license_search (rowid, tool_name, license_key, user_id, note)
    select * from license_texts where id = new.id;
end;

create trigger licenses_delete_search before delete on licenses begin
    insert into license_search (license_search, rowid, tool_name, license_key, user_id, note)
    select 'delete', * from license_texts where id = old.id;
end;

create trigger licenses_update_search before update of tool_name, license_key, user_id, note on licenses
when new.tool_name <> old.tool_name or new.license_key <> old.license_key
    or coalesce(new.user_id, '') <> coalesce(old.user_id, '')
    or coalesce(new.note, '') <> coalesce(old.note, '')
begin
    insert into license_search (license_search, rowid, tool_name, license_key, user_id, note)
    select 'delete', * from license_texts where id = old.id;
end;

create trigger licenses_updated_search after update of tool_name, license_key, user_id, note on licenses
when new.tool_name <> old.tool_name or new.license_key <> old.license_key
    or coalesce(new.user_id, '') <> coalesce(old.user_id, '')
    or coalesce(new.note, '') <> coalesce(old.note, '')
begin
    insert into license_search (rowid, tool_name, license_key, user_id, note)
    select * from license_texts where id = new.id;
end;

insert into license_search (license_search) values ('rebuild');
