-- Mails.

create table mails (
    id         integer primary key autoincrement,
    created_at bigint  not null,
    queued_at  bigint  not null,
    next_at    bigint  not null,
    ended_at   bigint,
    event      text    not null,
    event_key  text    not null,
    message_id text    not null unique,
    recipient  text    not null,
    customer   text    not null,
    language   text    not null,
    subject    text    not null,
    body       text    not null,
    state      text    not null check (state in ('waiting', 'sending', 'sent', 'uncertain', 'failed', 'dropped')),
    attempts   bigint  not null,
    error      text    not null
);

create unique index mails_by_event on mails (event_key) where event_key <> '';
create index mails_by_customer on mails (customer) where customer <> '';
create index mails_by_state on mails (state, next_at);

create table mail_topics (
    id              integer primary key autoincrement,
    mail_id         integer not null references mails (id) on delete cascade,
    license_id      bigint,
    code_id         bigint,
    expiration_date text    not null,
    step            bigint  not null
);

create index mail_topics_by_mail on mail_topics (mail_id);
create index mail_topics_by_license on mail_topics (license_id) where license_id is not null;
create index mail_topics_by_code on mail_topics (code_id) where code_id is not null;

create table mail_texts (
    tool_name text not null,
    event     text not null,
    language  text not null,
    subject   text not null,
    body      text not null,
    primary key (tool_name, event, language)
) without rowid;
