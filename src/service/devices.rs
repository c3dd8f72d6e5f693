//! Device cookies, which tell the browsers that a user has signed in with from those of strangers (OWASP,
//! "Slow Down Online Guessing Attacks with Device Cookies").

use super::secrets;
use crate::error::Error;
use crate::store::users::User;

/// `ID.MAC`. The key is the hash of the password, so that a new password makes the cookie invalid.
pub(super) fn cookie(user: &User) -> Result<String, Error> {
    let id = secrets::token()?;
    let mac = secrets::mac(&user.password_hash, &signed(user, &id))?;
    Ok(format!("{id}.{mac}"))
}

/// The ID of a cookie that this user got at a sign-in.
pub(super) fn id<'c>(cookie: &'c str, user: &User) -> Result<Option<&'c str>, Error> {
    let Some((id, mac)) = cookie.split_once('.') else {
        return Ok(None);
    };
    let is_ours = secrets::is_mac(mac, &user.password_hash, &signed(user, id))?;
    Ok(is_ours.then_some(id))
}

/// Cookies from before the second factor say nothing after it: somebody with the password alone could have collected
/// them, each with attempts of its own.
fn signed(user: &User, id: &str) -> String {
    let has_factor = user.factor.is_some();
    format!(
        "device {id} of {} with second factor: {has_factor}",
        user.id
    )
}
