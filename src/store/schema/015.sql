-- People: roles, states, invitations, two factors.

alter table users add column email text not null default '';
alter table users add column role text not null default 'owner';
alter table users add column is_disabled bigint not null default 0;
alter table users add column totp_secret text not null default '';
alter table users add column totp_step bigint not null default 0;

create table invitations (
    id         integer primary key autoincrement,
    token_hash text    not null unique,
    name       text    not null,
    email      text    not null,
    role       text    not null,
    invited_by integer not null references users (id) on delete cascade,
    created_at bigint  not null
);

create table recovery_codes (
    user_id   integer not null references users (id) on delete cascade,
    code_hash text    not null,
    primary key (user_id, code_hash)
) without rowid;

alter table sessions add column confirmed_at bigint not null default 0;

-- Wrong codes lose their details like failed sign-ins.
drop index audit_sign_ins;
create index audit_sign_ins on audit (at) where content = '' and kind in (
    'signed in', 'sign-in failed', 'second factor failed', 'sign-in throttled', 'token refused', 'signed out', 'session ended');

drop trigger audit_is_append_only;
create trigger audit_is_append_only before update on audit
    -- The details of a sign-in may be replaced by their hash.
    when not (old.content = '' and new.content <> '' and old.kind in (
            'signed in', 'sign-in failed', 'second factor failed', 'sign-in throttled', 'token refused', 'signed out', 'session ended')
        and new.id = old.id and new.at = old.at and new.kind = old.kind and new.hash = old.hash
        and new.who = 0 and new.address = 0 and new.license_id is null
        and new.before = '' and new.after = '')
begin
    select raise(abort, 'the audit log is append-only');
end;

-- Who placed an order is named by ID, as tokens and shops are.
update orders set source = 'user ' || (select id from users where 'user ' || name = orders.source)
where source in (select 'user ' || name from users);
