//! The client's address, also if the request passed trusted proxies.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use super::cookie;
use crate::config::Config;
use crate::service::Client;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Client {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Client, Self::Error> {
        Outcome::Success(client(request))
    }
}

pub(super) fn client(request: &Request<'_>) -> Client {
    let user_agent = request.headers().get_one("User-Agent").unwrap_or_default();
    Client {
        address: client_address(request),
        user_agent: user_agent
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect(),
        session: cookie::value(request, cookie::SESSION),
        device: cookie::value(request, cookie::DEVICE),
    }
}

const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// All values of `X-Forwarded-For`.
pub fn forwarded(request: &Request<'_>) -> String {
    let all: Vec<&str> = request.headers().get("X-Forwarded-For").collect();
    all.join(",")
}

/// The connection's address or, if that is a trusted proxy, the rightmost address in `X-Forwarded-For` that
/// is not.
pub fn client_address(request: &Request<'_>) -> IpAddr {
    let (peer, _) = peer(request);
    rightmost_untrusted(peer, &forwarded(request), trusted(request))
}

/// Who opened the connection, and whether `trusted_proxies` has that address.
pub fn peer(request: &Request<'_>) -> (IpAddr, bool) {
    let peer = request.remote().map_or(NOBODY, |remote| remote.ip());
    let peer = peer.to_canonical();
    (peer, trusted(request).iter().any(|net| net.contains(&peer)))
}

fn trusted<'r>(request: &'r Request<'_>) -> &'r [IpNet] {
    let config = request.rocket().state::<Config>();
    config.map_or(&[][..], |config| &config.trusted_proxies)
}

/// [`client_address`] as a request guard.
#[derive(Debug, Clone, Copy)]
pub struct Address(pub IpAddr);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Address {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Address, Self::Error> {
        Outcome::Success(Address(client_address(request)))
    }
}

fn rightmost_untrusted(peer: IpAddr, forwarded: &str, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer.to_canonical();
    for entry in forwarded.rsplit(',') {
        if !is_trusted(&client) {
            break;
        }
        match parse(entry.trim()) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

/// `1.2.3.4`, `1.2.3.4:5`, `::1` or `[::1]:5`.
fn parse(entry: &str) -> Option<IpAddr> {
    let address = entry.parse().ok();
    let with_port = || {
        entry
            .parse::<std::net::SocketAddr>()
            .ok()
            .map(|socket| socket.ip())
    };
    address
        .or_else(with_port)
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn client(peer: &str, forwarded: &str) -> String {
        let trusted = [
            "127.0.0.0/8".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap(),
        ];
        rightmost_untrusted(peer.parse().unwrap(), forwarded, &trusted).to_string()
    }

    #[test]
    fn a_stranger_cannot_name_another_address() {
        assert_eq!(client("203.0.113.9", "198.51.100.1"), "203.0.113.9");
    }

    #[test]
    fn behind_a_proxy_the_rightmost_untrusted_address_counts() {
        assert_eq!(
            client("127.0.0.1", "198.51.100.1, 203.0.113.9"),
            "203.0.113.9"
        );
        assert_eq!(
            client("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.1.1.1"),
            "203.0.113.9"
        );
        assert_eq!(
            client("::ffff:127.0.0.1", "[2001:db8::1]:443"),
            "2001:db8::1"
        );
    }

    #[test]
    fn words_that_are_no_address_end_the_search() {
        assert_eq!(client("127.0.0.1", "198.51.100.1, unknown"), "127.0.0.1");
        assert_eq!(client("127.0.0.1", ""), "127.0.0.1");
        assert_eq!(client("127.0.0.1", "10.0.0.2"), "10.0.0.2");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn whatever_a_client_sends_only_what_the_proxy_added_counts(
            sent in "\\PC{0,30}|([0-9a-f.:, \\[\\]]{0,20},){0,4}", seen in any::<IpAddr>(), hops in 0..4usize,
        ) {
            prop_assume!(!seen.to_canonical().to_string().starts_with("10.") && !seen.to_canonical().is_loopback());
            let forwarded = format!("{sent}, {seen}{}", ", 10.0.0.1".repeat(hops));
            prop_assert_eq!(client("127.0.0.1", &forwarded), seen.to_canonical().to_string());
            prop_assert_eq!(client("203.0.113.9", &forwarded), "203.0.113.9");
        }

        #[test]
        fn every_spelling_of_an_address_is_read(address in any::<IpAddr>(), port in any::<u16>()) {
            let canonical = Some(address.to_canonical());
            prop_assert_eq!(parse(&address.to_string()), canonical);
            prop_assert_eq!(parse(&std::net::SocketAddr::new(address, port).to_string()), canonical);
        }
    }
}
