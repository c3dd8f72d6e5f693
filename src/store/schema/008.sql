-- What an order did to the codes of another one can be taken back; calls of shops that failed are counted.

alter table orders add column is_taken_back bigint not null default 0;

create index shop_events_failed on shop_events (shop_id, received_at) where state = 'failed';
