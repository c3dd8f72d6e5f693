-- When each person last signed in, and what alerts are made of.

alter table users add column signed_in_at bigint;
update users set signed_in_at = (
    select max(audit.at) from audit
    join personal_values on personal_values.id = audit.who and personal_values.salt <> ''
    where audit.kind = 'signed in' and personal_values.value = users.name);

create index audit_alerts on audit (kind, at) where kind in (
    'signed in', 'sign-in failed', 'second factor failed', 'sign-in throttled', 'token refused', 'person added', 'person changed', 'person enabled', 'second factor removed', 'second factor reset', 'alerts seen');
