//! What people may do: one table of role and place.

/// From the smallest to the largest: each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads licenses, codes, customers, requests and tools.
    Viewer,
    /// Works with licenses, codes, customers and requests.
    Staff,
    /// Everything.
    Owner,
}

/// Whether a request shows a page or sends a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Read,
    Write,
}

/// The smallest role that reads, and that writes, at each address and below it; of several, the longest counts. What
/// is not here is for owners.
const PLACES: [(&str, Role, Role); 36] = {
    use Role::{Owner, Staff, Viewer};
    [
        ("/", Viewer, Owner),
        ("/account", Viewer, Viewer),
        ("/account/tokens", Owner, Owner),
        ("/alerts", Viewer, Viewer),
        ("/bulk", Staff, Staff),
        ("/codes", Viewer, Staff),
        ("/codes/<id>/edit", Staff, Staff),
        ("/codes/import", Staff, Staff),
        ("/codes/made", Staff, Staff),
        ("/codes/new", Staff, Staff),
        ("/customer", Viewer, Owner),
        ("/customers", Viewer, Staff),
        ("/customers/<id>/edit", Staff, Staff),
        ("/customers/<id>/erase", Staff, Staff),
        ("/customers/<id>/merge", Staff, Staff),
        ("/diagnose", Viewer, Owner),
        ("/digest", Viewer, Owner),
        ("/import", Staff, Staff),
        ("/licenses", Viewer, Staff),
        ("/licenses/<id>/delete", Staff, Staff),
        ("/licenses/<id>/edit", Staff, Staff),
        ("/licenses/<id>/move", Staff, Staff),
        ("/licenses/new", Staff, Staff),
        ("/logout", Viewer, Viewer),
        ("/machine", Viewer, Owner),
        ("/mail", Staff, Staff),
        ("/mail/test", Owner, Owner),
        ("/mail/texts", Owner, Owner),
        ("/offline", Staff, Staff),
        ("/orders", Viewer, Staff),
        ("/orders/<id>/revoke", Staff, Staff),
        ("/renew", Staff, Staff),
        ("/tool", Viewer, Owner),
        ("/tool/rename", Owner, Owner),
        ("/tools", Viewer, Owner),
        ("/unlicensed", Viewer, Staff),
    ]
};

/// Where a form needs a password that was entered recently: what outlives a session, and what all licenses depend on.
/// With everything below, but for `=`.
const CONFIRMED: [&str; 9] = [
    "/account/name",
    "/account/sessions",
    "/account/tokens",
    "/keys",
    "/people",
    "/restored",
    "=/shops",
    "=/shops/<id>",
    "=/shops/<id>/secret",
];

/// Whether a form to the route with that path needs a password that was entered recently.
pub fn is_confirmed_again(route: &str) -> bool {
    CONFIRMED.iter().any(|place| match place.strip_prefix('=') {
        Some(exact) => exact == route,
        None => is_below(route, place),
    })
}

/// Whether the route with that path is about the person's own sign-in.
pub fn is_own_sign_in(route: &str) -> bool {
    route == "/logout" || is_below(route, "/account") && !is_below(route, "/account/tokens")
}

/// Whether somebody with a random password may use the route with that path: to choose another one, or to leave.
pub fn is_for_own_password(route: &str) -> bool {
    ["/account", "/account/password", "/logout"].contains(&route)
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Staff, Role::Owner];

    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Staff => "staff",
            Role::Owner => "owner",
        }
    }

    pub fn from_word(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// The smallest role for that path, of a route or of an address.
    pub fn needed(path: &str, wanted: Use) -> Role {
        let places = PLACES.iter().filter(|(place, ..)| is_below(path, place));
        let place = places.max_by_key(|(place, ..)| place.len());
        place.map_or(Role::Owner, |(_, read, write)| match wanted {
            Use::Read => *read,
            Use::Write => *write,
        })
    }
}

/// Whether the path is the place or below it; a segment in angle brackets stands for any.
fn is_below(path: &str, place: &str) -> bool {
    fn segments(path: &str) -> impl Iterator<Item = &str> {
        path.strip_prefix('/').unwrap_or(path).split('/')
    }
    let mut own = segments(path);
    segments(place).all(|name| {
        own.next().is_some_and(|segment| {
            let stem = segment.split_once('.').map_or(segment, |(stem, _)| stem);
            name.starts_with('<') || name == segment || !name.is_empty() && name == stem
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_place_decides_and_the_rest_is_for_owners() {
        for (route, read, write) in [
            ("/", Role::Viewer, Role::Owner),
            ("/licenses.csv", Role::Viewer, Role::Staff),
            ("/licenses/<id>", Role::Viewer, Role::Staff),
            ("/licenses/<id>/edit", Role::Staff, Role::Staff),
            ("/licenses/7/edit", Role::Staff, Role::Staff),
            ("/licenses/7", Role::Viewer, Role::Staff),
            // Of the overview below a base path.
            ("", Role::Viewer, Role::Owner),
            ("/.hidden", Role::Owner, Role::Owner),
            ("/licensesome", Role::Owner, Role::Owner),
            ("/account/tokens/<id>/revoke", Role::Owner, Role::Owner),
            ("/keys", Role::Owner, Role::Owner),
        ] {
            assert_eq!(Role::needed(route, Use::Read), read, "{route}");
            assert_eq!(Role::needed(route, Use::Write), write, "{route}");
        }
    }

    #[test]
    fn what_outlives_a_session_asks_for_the_password_again() {
        for (route, expected) in [
            ("/keys", true),
            ("/keys/default", true),
            ("/account/name", true),
            ("/account/sessions/<id>/end", true),
            ("/account/tokens/<id>/revoke", true),
            ("/people/<id>/state", true),
            ("/shops/<id>", true),
            ("/shops/<id>/secret", true),
            ("/shops/<id>/products", false),
            ("/account/password", false),
            ("/licenses/<id>/edit", false),
        ] {
            assert_eq!(is_confirmed_again(route), expected, "{route}");
        }
    }

    #[test]
    fn who_has_no_second_factor_reaches_her_own_sign_in() {
        for (route, expected) in [
            ("/account", true),
            ("/account/factor/confirm", true),
            ("/logout", true),
            ("/account/tokens", false),
            ("/", false),
            ("/licenses", false),
        ] {
            assert_eq!(is_own_sign_in(route), expected, "{route}");
        }
    }
}
