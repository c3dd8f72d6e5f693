//! A page that is open when its session ends leaves the screen by itself.

use rocket::Request;

use super::login::with_next;
use crate::auth;
use crate::request::App;

/// For `Refresh`, on a page of somebody who is signed in. Where something can be typed, which leaving would lose, it is
/// the latest end of the session.
pub(super) fn refresh(request: &Request<'_>, html: &str) -> Option<String> {
    auth::person_id(request)?;
    let session = &auth::signed_in(request).as_ref().ok()?.session;
    let app: &App = request.rocket().state().map(App::from)?;
    let ends_in = app.ends_in(session, can_be_typed_in(html));
    let to = with_next(request, "/login/left");
    Some(format!("{}; url={to}", ends_in.whole_seconds() + 1))
}

/// In more than what searches and filters.
fn can_be_typed_in(html: &str) -> bool {
    let main = html.split_once("<main").map_or("", |(_, main)| main);
    main.split("<form").skip(1).any(|form| {
        let (tag, fields) = form.split_once('>').unwrap_or((form, ""));
        let fields = fields.split("</form>").next().unwrap_or_default();
        let is_typed = |input: &str| !input.trim_start().starts_with("type=\"hidden\"");
        let has_any = ["<textarea", "<select"]
            .iter()
            .any(|one| fields.contains(one));
        let is_sent = tag.contains("method=\"post\"") && !tag.contains("role=\"search\"");
        is_sent && (has_any || fields.split("<input").skip(1).any(is_typed))
    })
}
