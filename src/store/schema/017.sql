-- Sessions are bound to networks. Those of before end.

alter table sessions add column networks text not null default '';

-- Refused sessions lose their details like failed sign-ins.
drop index audit_sign_ins;
create index audit_sign_ins on audit (at) where content = '' and kind in (
    'signed in', 'sign-in failed', 'second factor failed', 'sign-in throttled', 'token refused', 'session refused', 'signed out', 'session ended');

drop trigger audit_is_append_only;
create trigger audit_is_append_only before update on audit
    -- The details of a sign-in may be replaced by their hash.
    when not (old.content = '' and new.content <> '' and old.kind in (
            'signed in', 'sign-in failed', 'second factor failed', 'sign-in throttled', 'token refused', 'session refused', 'signed out', 'session ended')
        and new.id = old.id and new.at = old.at and new.kind = old.kind and new.hash = old.hash
        and new.who = 0 and new.address = 0 and new.license_id is null
        and new.before = '' and new.after = '')
begin
    select raise(abort, 'the audit log is append-only');
end;
