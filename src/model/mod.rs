//! Plain data and rules without I/O; `now` is an argument.

pub mod audit;
pub mod bulk;
pub mod explain;
pub mod fold;
pub mod import;
pub mod license;
pub mod mac;
pub mod machine_id;
pub mod marks;
pub mod near;
pub mod new_license;
pub mod overview;
pub mod password;
pub mod published;
pub mod question;
pub mod search;
pub mod sheet;
pub mod sighting;
pub mod signed;
pub mod signing_key;
pub mod text;
pub mod token;
pub mod tool;
