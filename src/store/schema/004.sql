-- Which activation code an entry of the audit log is about.

alter table audit add column code_id bigint;

create index audit_by_code on audit (code_id) where code_id is not null;
