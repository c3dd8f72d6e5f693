//! What the mock's license and tool offer, besides the result.

use clap::Args;

use crate::model::date;
use crate::model::signed::Offer;

#[derive(Debug, Clone, Args)]
pub struct OfferArgs {
    /// The edition in signed answers
    #[arg(long, value_name = "NAME", value_parser = at_most::<50>)]
    edition: Option<String>,
    /// The features in signed answers, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = at_most::<50>)]
    features: Vec<String>,
    /// The data in signed answers
    #[arg(long, value_name = "TEXT", value_parser = at_most::<1024>)]
    data: Option<String>,
    /// The last day whose updates the license covers
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    updates_until: Option<String>,
    /// The latest version of the tool
    #[arg(long, value_name = "VERSION", value_parser = at_most::<100>)]
    latest_version: Option<String>,
    /// Where to get it
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    latest_url: Option<String>,
    /// The oldest version of the tool that may run
    #[arg(long, value_name = "VERSION", value_parser = at_most::<100>)]
    minimum_version: Option<String>,
}

impl OfferArgs {
    pub(super) fn offer(&self) -> Offer {
        let OfferArgs {
            edition,
            features,
            data,
            updates_until,
            latest_version,
            latest_url,
            minimum_version,
        } = self.clone();
        Offer {
            edition,
            features,
            data,
            updates_until,
            latest_version,
            latest_url,
            minimum_version,
        }
    }
}

fn at_most<const BYTES: usize>(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("it is empty".into()),
        length if length > BYTES => Err(format!("it has {length} bytes; at most {BYTES} count")),
        _ => Ok(text.to_owned()),
    }
}

fn day(text: &str) -> Result<String, String> {
    let day = date::read(text).ok_or("write it as YYYY-MM-DD, for example 2027-12-31")?;
    Ok(date::format(day))
}

/// Clients ignore any other.
fn address(text: &str) -> Result<String, String> {
    let is_address = ["https://", "http://"]
        .iter()
        .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    match is_address {
        true => Ok(text.to_owned()),
        false => Err("it must start with https:// or http://".into()),
    }
}
