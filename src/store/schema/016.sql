-- A random password is for the first sign-in only.

alter table users add column has_random_password bigint not null default 0;
