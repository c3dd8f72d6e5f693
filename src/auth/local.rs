//! Requests from this machine that no proxy passed on.

use rocket::Request;

/// Each proxy that is in use sends one of them; nginx only if told to, as in our file for it.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-forwarded-", "x-real-ip"];

/// Whether the connection comes from loopback, names it as its host, and has no header of a proxy. The host,
/// because a page of a stranger can make a browser on this machine send requests under the stranger's name.
pub(super) fn is_local(request: &Request<'_>) -> bool {
    let remote = request.remote().map(|remote| remote.ip().to_canonical());
    let host = request.headers().get_one("Host").unwrap_or_default();
    let is_forwarded = |name: &str| {
        let name = name.to_ascii_lowercase();
        FORWARDED.iter().any(|start| name.starts_with(start))
    };
    remote.is_some_and(|address| address.is_loopback())
        && is_loopback(host)
        && !request
            .headers()
            .iter()
            .any(|header| is_forwarded(header.name().as_str()))
}

/// `localhost` or a loopback address, with or without a port.
fn is_loopback(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = without_port.trim_start_matches('[').trim_end_matches(']');
    let address: Result<std::net::IpAddr, _> = bare.parse();
    bare.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in [
            "localhost",
            "127.0.0.1:8000",
            "127.1.2.3",
            "[::1]:8000",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com:80",
            "10.0.0.1:8000",
            ":80",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
