//! The machine's address: `ip=` in Linux's syntax (Documentation/admin-guide/nfs/nfsroot.rst), as far as it is used
//! here.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use crate::refusal::ValueError;

/// An IPv4 address, the network it is in, and the way out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The machine's address.
    pub client: Ipv4Addr,
    /// The router, if there is one.
    pub gateway: Option<Ipv4Addr>,
    /// Bits of the netmask, 1 to 30.
    pub prefix_len: u8,
}

impl Default for NetworkConfig {
    /// Returns the configuration for QEMU's user network.
    fn default() -> Self {
        Self {
            client: Ipv4Addr::new(10, 0, 2, 15),
            gateway: Some(Ipv4Addr::new(10, 0, 2, 2)),
            prefix_len: 24,
        }
    }
}

impl NetworkConfig {
    /// Reads `CLIENT::GATEWAY:NETMASK`. The gateway may be empty; the server's address, the second field, must be.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let fields: Vec<&str> = text.split(':').collect();
        let [client, "", gateway, netmask] = fields[..] else {
            return Err(refuse(format!("`{text}` is not CLIENT::GATEWAY:NETMASK")));
        };
        let config = Self {
            client: address(client)?,
            gateway: match gateway {
                "" => None,
                gateway => Some(address(gateway)?),
            },
            prefix_len: prefix_len(netmask)?,
        };
        config.check()?;
        Ok(config)
    }

    /// Returns whether an address is in the machine's own network.
    pub fn is_near(&self, address: Ipv4Addr) -> bool {
        let differing = address.to_bits() ^ self.client.to_bits();
        differing & mask(self.prefix_len) == 0
    }

    fn check(&self) -> Result<(), ValueError> {
        if !is_host(self.client, self.prefix_len) {
            return Err(refuse(format!(
                "{} is not the address of a host",
                self.client
            )));
        }
        let Some(gateway) = self.gateway else {
            return Ok(());
        };
        let network = |address: Ipv4Addr| address.to_bits() & mask(self.prefix_len);
        if network(gateway) != network(self.client) || !is_host(gateway, self.prefix_len) {
            return Err(refuse(format!(
                "the gateway {gateway} is no host in the network of {}/{}",
                self.client, self.prefix_len
            )));
        }
        if gateway == self.client {
            return Err(refuse(format!("{gateway} is both client and gateway")));
        }
        Ok(())
    }
}

impl fmt::Display for NetworkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::", self.client)?;
        if let Some(gateway) = self.gateway {
            gateway.fmt(f)?;
        }
        write!(f, ":{}", Ipv4Addr::from_bits(mask(self.prefix_len)))
    }
}

fn refuse(reason: alloc::string::String) -> ValueError {
    ValueError::new(reason, "an address like 10.0.2.15::10.0.2.2:255.255.255.0")
}

fn address(text: &str) -> Result<Ipv4Addr, ValueError> {
    text.parse()
        .map_err(|_| refuse(format!("`{text}` is not an IPv4 address")))
}

fn prefix_len(text: &str) -> Result<u8, ValueError> {
    let bits = address(text)?.to_bits();
    match bits.leading_ones() {
        length @ 1..=30 if mask(length as u8) == bits => Ok(length as u8),
        _ => Err(refuse(format!(
            "`{text}` is not the netmask of a network with hosts"
        ))),
    }
}

/// Returns the netmask of so many bits, 1 to 32.
const fn mask(prefix_len: u8) -> u32 {
    u32::MAX << (32 - prefix_len as u32)
}

/// Returns whether the address is one host's: neither a group's nor the network's nor everybody's.
fn is_host(address: Ipv4Addr, prefix_len: u8) -> bool {
    let host = address.to_bits() & !mask(prefix_len);
    let special = address.is_multicast()
        || address.is_loopback()
        || address.octets()[0] == 0
        || address.octets()[0] >= 240;
    !special && host != 0 && host != !mask(prefix_len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn the_default_is_qemus() {
        let text = "10.0.2.15::10.0.2.2:255.255.255.0";
        assert_eq!(NetworkConfig::parse(text), Ok(NetworkConfig::default()));
        let lonely = NetworkConfig::parse("192.168.7.9:::255.255.0.0").unwrap();
        assert_eq!((lonely.gateway, lonely.prefix_len), (None, 16));
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for text in [
            "dhcp",
            "10.0.2.15",
            "10.0.2.15::10.0.2.2",
            "10.0.2.15:10.0.2.3:10.0.2.2:255.255.255.0",
            "10.0.2.15::10.0.2.2:255.255.255.0::eth0:off",
            "::10.0.2.2:255.255.255.0",
            "10.0.2::10.0.2.2:255.255.255.0",
            "10.0.2.15::10.0.3.2:255.255.255.0",
            "10.0.2.15::10.0.2.15:255.255.255.0",
            "10.0.2.15::10.0.2.255:255.255.255.0",
            "10.0.2.255:::255.255.255.0",
            "10.0.2.0:::255.255.255.0",
            "127.0.0.1:::255.0.0.0",
            "224.0.0.5:::255.255.255.0",
            "0.0.0.5:::255.255.255.0",
            "10.0.2.15:::255.0.255.0",
            "10.0.2.15:::0.0.0.0",
            "10.0.2.15:::255.255.255.255",
        ] {
            assert!(NetworkConfig::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_written_back(a: u32, b: u32, prefix in 1u8..=30) {
            let gateway = a & mask(prefix) | b & !mask(prefix);
            let (a, b) = (Ipv4Addr::from_bits(a), Ipv4Addr::from_bits(gateway));
            let text = format!("{a}::{b}:{}", Ipv4Addr::from_bits(mask(prefix)));
            if let Ok(config) = NetworkConfig::parse(&text) {
                prop_assert_eq!(config.to_string(), text);
            }
        }
    }
}
