//! The machine's address on its interface, as `ip address add`, `ip link set up` and `ip route add default` would do it: by ioctl(2), see
//! netdevice(7).

use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use crate::system;

const ADD_ROUTE: u32 = 0x890b;
const GET_FLAGS: u32 = 0x8913;
const SET_FLAGS: u32 = 0x8914;
const SET_ADDRESS: u32 = 0x8916;
const SET_NETMASK: u32 = 0x891c;

const UP: u16 = 1;

/// `RTF_UP | RTF_GATEWAY`.
const ROUTE_BY_GATEWAY: u16 = 3;

const AF_INET: u16 = 2;

/// `IFNAMSIZ`; in `struct ifreq` the value follows the name.
const NAME_BYTES: usize = 16;

type IfReq = [u8; 40];

/// An interface.
pub struct Interface {
    name: [u8; NAME_BYTES],
    socket: UdpSocket,
}

impl Interface {
    /// That with `name`.
    ///
    /// # Errors
    /// The system's.
    pub fn new(name: &str) -> io::Result<Self> {
        let mut bytes = [0; NAME_BYTES];
        // The last one stays 0.
        for (byte, letter) in bytes[..NAME_BYTES - 1].iter_mut().zip(name.bytes()) {
            *byte = letter;
        }
        Ok(Self {
            name: bytes,
            socket: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
        })
    }

    /// Gives it an address in a network of 24 bits.
    ///
    /// # Errors
    /// The system's.
    pub fn set_address(&self, address: Ipv4Addr) -> io::Result<()> {
        self.set(SET_ADDRESS, &sockaddr(address))?;
        self.set(SET_NETMASK, &sockaddr(Ipv4Addr::new(255, 255, 255, 0)))
    }

    /// Takes its address away.
    ///
    /// # Errors
    /// The system's.
    pub fn clear_address(&self) -> io::Result<()> {
        self.set(SET_ADDRESS, &sockaddr(Ipv4Addr::UNSPECIFIED))
    }

    /// Brings it up, or down.
    ///
    /// # Errors
    /// The system's.
    pub fn set_up(&self, is_up: bool) -> io::Result<()> {
        let mut request = self.request(&[]);
        system::control(&self.socket, GET_FLAGS, &mut request)?;
        let flags = u16::from_ne_bytes([request[NAME_BYTES], request[NAME_BYTES + 1]]);
        let flags = if is_up { flags | UP } else { flags & !UP };
        self.set(SET_FLAGS, &flags.to_ne_bytes())
    }

    /// Sends what is for elsewhere to `gateway`.
    ///
    /// # Errors
    /// The system's.
    pub fn set_gateway(&self, gateway: Ipv4Addr) -> io::Result<()> {
        system::control(&self.socket, ADD_ROUTE, &mut default_route(gateway))
    }

    fn set(&self, request: u32, value: &[u8]) -> io::Result<()> {
        system::control(&self.socket, request, &mut self.request(value))
    }

    fn request(&self, value: &[u8]) -> IfReq {
        let mut request = [0; size_of::<IfReq>()];
        request[..NAME_BYTES].copy_from_slice(&self.name);
        request[NAME_BYTES..][..value.len()].copy_from_slice(value);
        request
    }
}

/// `struct sockaddr_in`, without a port.
fn sockaddr(address: Ipv4Addr) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
    bytes[4..8].copy_from_slice(&address.octets());
    bytes
}

/// `struct rtentry`: after 8 bytes of nothing destination, gateway, mask and flags; no device and no metrics.
fn default_route(gateway: Ipv4Addr) -> [u8; 120] {
    let mut bytes = [0; 120];
    let addresses = [Ipv4Addr::UNSPECIFIED, gateway, Ipv4Addr::UNSPECIFIED];
    for (place, address) in bytes[8..56].chunks_exact_mut(16).zip(addresses) {
        place.copy_from_slice(&sockaddr(address));
    }
    bytes[56..58].copy_from_slice(&ROUTE_BY_GATEWAY.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_as_netdevice_has_them() {
        let address = sockaddr(Ipv4Addr::new(10, 0, 2, 15));
        assert_eq!(address[..8], [2, 0, 0, 0, 10, 0, 2, 15]);
        let interface = Interface::new("an-interface-with-a-long-name").unwrap();
        let request = interface.request(&address);
        assert_eq!(&request[..16], b"an-interface-wi\0");
        assert_eq!(request[16..32], address);
        let route = default_route(Ipv4Addr::new(10, 0, 2, 2));
        assert_eq!(route[24..32], [2, 0, 0, 0, 10, 0, 2, 2]);
        assert_eq!(route[56..58], [3, 0]);
    }

    #[test]
    fn the_interface_that_every_host_has_is_found_and_no_other() {
        let mut request = Interface::new("lo").unwrap().request(&[]);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        system::control(&socket, GET_FLAGS, &mut request).unwrap();
        assert_eq!(request[NAME_BYTES] & 1, 1, "lo is up");
        let error = Interface::new("none").unwrap().set_up(true).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(19), "ENODEV");
    }
}
