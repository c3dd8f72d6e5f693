//! Plain data and rules without I/O; `now` is an argument.

pub mod audit;
pub mod bulk;
pub mod check;
pub mod date;
pub mod diagnosis;
pub(crate) mod fingerprint;
pub mod fold;
pub mod import;
pub mod license;
pub mod mac;
pub mod machine_id;
pub mod near_miss;
pub mod overview;
pub mod password;
pub mod published;
pub mod question;
pub mod search;
pub mod server_clock;
pub mod signed;
pub mod signing_key;
pub mod text;
pub mod text_diff;
pub mod token;
pub mod tool;
