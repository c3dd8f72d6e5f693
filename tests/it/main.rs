//! Tests of the real server over real connections, one file per behaviour.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot continue has failed"
)]

mod activation;
mod alerts;
mod audit;
mod axe;
mod backup;
mod browser;
mod bulk;
mod check;
mod checks;

mod claim;
mod claim_offline;
mod client_codes;
mod client_offers;
mod codes;
mod cpp_client;
mod crash;
mod csharp_client;
mod customers;
mod database;
mod deploy;
mod diagnose;
mod disk;
mod doctor;
mod edits;
mod encryption;
mod erasure;
mod erasure_log;
mod erasure_shops;
mod errors;
mod export;
mod faults;
mod fields;
mod filters;
mod front;
mod generator;
mod guards;
mod headers;
mod hostile;
mod house;
mod import;
mod import_command;
mod inputs;
mod integration;
mod javascript_client;
mod kept;
mod keys;
mod licenses_api;
mod lines;
mod long_imports;
mod looks;
mod mail;
mod mail_tls;
mod mock;
mod moves;
mod my;
mod offline;
mod openapi;
mod order_pages;
mod orders;
mod overview;
mod page;
mod pages;
mod parsers;
mod people;
mod power;
mod program;
mod proxy;
mod python_client;
mod questions;
mod race;
mod receivers;
mod remembered;
mod restore;
mod roles;
mod rotation;
mod sale;
mod schema;
mod seats;
mod security;
mod security_txt;
mod server;
mod sessions;
mod sharing;
mod shops;
mod sign_in;
mod signed;
mod signed_by_others;
mod standby;
mod throttle;
mod timeline;
mod tokens;
mod tool_names;
mod tools;
mod trials;
mod two_factors;
mod unlicensed;
mod upgrade;
mod vectors;
mod watch;
mod webhook_tls;
mod webhooks;
mod windows;
mod workbooks;
mod writers;
