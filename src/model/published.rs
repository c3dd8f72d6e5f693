//! A license as everybody outside gets it: in JSON, and as a line of a table.

use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::license::Listed;
use super::new_license::format_date;
use super::sheet::csv_line;
use crate::error::Error;

/// The seven published fields in their order, then what is known of its checks and what the admin has
/// noted.
#[derive(Debug, Serialize)]
pub struct Row {
    id: i64,
    created_at: String,
    tool_name: String,
    license_key: String,
    status: &'static str,
    user_id: Option<String>,
    expiration_date: Option<String>,
    last_seen_at: Option<String>,
    check_count: i64,
    note: Option<String>,
}

impl From<Listed> for Row {
    fn from(Listed { license, seen, .. }: Listed) -> Row {
        Row {
            id: license.id,
            created_at: format_moment(license.created_at),
            tool_name: license.tool_name,
            license_key: license.license_key,
            status: license.status.as_str(),
            user_id: license.user_id,
            expiration_date: license.expiration_date.map(format_date),
            last_seen_at: seen.as_ref().map(|seen| format_moment(seen.last_at)),
            check_count: seen.map_or(0, |seen| seen.check_count),
            note: license.note,
        }
    }
}

impl Row {
    /// In the order of [`super::sheet::csv_header`].
    pub fn csv_line(&self) -> Result<String, Error> {
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        csv_line(&[
            &self.id.to_string(),
            &self.created_at,
            &self.tool_name,
            &self.license_key,
            self.status,
            &or_empty(&self.user_id),
            &or_empty(&self.expiration_date),
            &or_empty(&self.note),
            &or_empty(&self.last_seen_at),
            &self.check_count.to_string(),
        ])
    }
}

fn format_moment(moment: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    moment.format(format).unwrap_or_default()
}
