//! The pages, used through their own links and forms.

mod forms;
mod requests;
mod sign_in;
mod table;

pub use requests::has_names;

use crate::page::Page;
use crate::server::{Client, PASSWORD, Server};

const MAC: &str = "0a:1b:2c:3d:4e:5f";

/// Signs in on the page to which `path` redirects without a session.
fn sign_in(client: &mut Client, path: &str) -> Page {
    let form = Page::open(client, path).form("/login");
    let form = form.fill("username", "admin").fill("password", PASSWORD);
    form.submit(client)
}

/// Adds a license on its form.
fn add(client: &mut Client, tool_name: &str, license_key: &str) -> Page {
    let form = Page::open(client, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", tool_name);
    form.fill("license_key", license_key).submit(client)
}

/// What the search box finds.
fn find(client: &mut Client, fragment: &str) -> Vec<String> {
    let form = Page::open(client, "/licenses").form("/licenses");
    form.fill("q", fragment).submit(client).keys()
}

fn message(server: &Server, tool_name: &str, license_key: &str) -> String {
    let (_, body) = server.check(tool_name, license_key);
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    answer["message"].as_str().unwrap().to_owned()
}

/// How many rows there are.
fn rows(server: &Server) -> usize {
    let table = server.admin().get("/api/licenses").json();
    table.as_array().unwrap().len()
}
