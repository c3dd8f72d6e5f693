//! Static files for pages and clients, embedded in the program.

use rocket::http::{ContentType, Header};
use rocket::{Responder, Route, State, get, routes};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::request::Failure;

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const CHECK_AGAIN: &str = "no-cache";

struct Asset {
    name: &'static str,
    hashed_name: String,
    kind: ContentType,
    content: &'static str,
}

/// Each file has two names: its own, and one that changes with its content.
pub struct Assets([Asset; 9]);

impl Assets {
    pub fn embedded() -> Assets {
        let python = ContentType::new("text", "x-python").with_params(("charset", "utf-8"));
        let charset = ("charset", "utf-8");
        let javascript = ContentType::JavaScript.with_params(charset);
        let svg = ContentType::SVG.with_params(charset);
        Assets([
            asset(
                "style.css",
                ContentType::CSS,
                include_str!("../../static/style.css"),
            ),
            asset("favicon.svg", svg, include_str!("../../static/favicon.svg")),
            asset(
                "license_client.py",
                python,
                include_str!("../../static/license_client.py"),
            ),
            asset(
                "LicenseClient.cs",
                ContentType::Plain,
                include_str!("../../static/LicenseClient.cs"),
            ),
            asset(
                "LicenseClient.csproj",
                ContentType::Plain,
                include_str!("../../static/LicenseClient.csproj"),
            ),
            asset(
                "licenseclient.h",
                ContentType::Plain,
                include_str!("../../static/cpp/licenseclient.h"),
            ),
            asset(
                "licenseclient.cpp",
                ContentType::Plain,
                include_str!("../../static/cpp/licenseclient.cpp"),
            ),
            asset(
                "licenseclient.def",
                ContentType::Plain,
                include_str!("../../static/cpp/licenseclient.def"),
            ),
            asset(
                "license_client.mjs",
                javascript,
                include_str!("../../static/license_client.mjs"),
            ),
        ])
    }

    /// The name under which the file may be cached forever.
    pub(super) fn hashed_name(&self, name: &str) -> &str {
        let found = self.0.iter().find(|asset| asset.name == name);
        found.map_or("", |asset| &asset.hashed_name)
    }
}

fn asset(name: &'static str, kind: ContentType, content: &'static str) -> Asset {
    let digest = Sha256::digest(content);
    let short: String = digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let hashed_name = match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem}-{short}.{ending}"),
        None => format!("{name}-{short}"),
    };
    Asset {
        name,
        hashed_name,
        kind,
        content,
    }
}

pub(super) fn routes() -> Vec<Route> {
    routes![file]
}

#[derive(Responder)]
struct File {
    content: &'static str,
    kind: ContentType,
    cache: Header<'static>,
}

#[get("/static/<name>")]
fn file(assets: &State<Assets>, name: &str) -> Result<File, Failure> {
    let found = assets
        .0
        .iter()
        .find(|asset| asset.name == name || asset.hashed_name == name);
    let asset = found.ok_or(Error::NotFound("There is no such file."))?;
    let cache = if name == asset.hashed_name {
        IMMUTABLE
    } else {
        CHECK_AGAIN
    };
    Ok(File {
        content: asset.content,
        kind: asset.kind.clone(),
        cache: Header::new("Cache-Control", cache),
    })
}
