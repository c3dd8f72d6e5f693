//! Which addresses the server may call: those of the internet, and those that the operator allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IANA's registries of special-purpose addresses, multicast, what is reserved, and Azure's wire server.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Of the global ones: protocols and Teredo, documentation, and 6to4, which leads to any IPv4 address.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// An IPv4 address for a network without IPv4, in its last 32 bits.
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// What may be called: public addresses with TLS, and these networks, also without.
#[derive(Debug, Clone, Default)]
pub struct Callable(pub Vec<IpNet>);

impl Callable {
    pub fn permits(&self, address: IpAddr, is_https: bool) -> bool {
        let address = address.to_canonical();
        let is_allowed = self.0.iter().any(|network| network.contains(&address));
        is_allowed || is_https && is_public(address)
    }
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !NOT_PUBLIC_V4
            .iter()
            .any(|network| is_in_v4(network, address)),
        IpAddr::V6(address) if is_in_v6(&NAT64, address) => {
            let [.., a, b, c, d] = address.octets();
            is_public(Ipv4Addr::new(a, b, c, d).into())
        }
        IpAddr::V6(address) => {
            is_in_v6(&GLOBAL_V6, address)
                && !NOT_PUBLIC_V6
                    .iter()
                    .any(|network| is_in_v6(network, address))
        }
    }
}

fn is_in_v4((first, length): &(Ipv4Addr, u8), address: Ipv4Addr) -> bool {
    Ipv4Net::new(*first, *length).is_ok_and(|network| network.contains(&address))
}

fn is_in_v6((first, length): &(Ipv6Addr, u8), address: Ipv6Addr) -> bool {
    Ipv6Net::new(*first, *length).is_ok_and(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_public(text: &str) -> bool {
        super::is_public(text.parse().unwrap())
    }

    #[test]
    fn what_is_not_on_the_internet_is_not_public() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private), "{private}");
        }
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2606:4700::1111",
        ] {
            assert!(is_public(public), "{public}");
        }
    }

    #[test]
    fn without_tls_only_allowed_networks_are_called() {
        let callable = Callable(vec!["10.1.0.0/16".parse().unwrap()]);
        let permits = |text: &str, is_https| callable.permits(text.parse().unwrap(), is_https);
        assert!(permits("10.1.2.3", false) && permits("::ffff:10.1.2.3", true));
        assert!(permits("1.1.1.1", true) && !permits("1.1.1.1", false));
        assert!(!permits("10.2.0.1", true));
    }
}
