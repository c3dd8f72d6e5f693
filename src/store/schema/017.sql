-- Sessions are bound to networks. Those of before end.

alter table sessions add column networks text not null default '';
