-- Who sells a tool, and who asks for a license.

alter table tools add column vendor text not null default '';
alter table tools add column support_email text not null default '';

alter table unlicensed_machines add column customer_name text not null default '';
alter table unlicensed_machines add column customer_email text not null default '';
