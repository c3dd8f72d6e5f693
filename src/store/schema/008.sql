-- What an order did to the codes of another one can be taken back.

alter table orders add column is_taken_back bigint not null default 0;
