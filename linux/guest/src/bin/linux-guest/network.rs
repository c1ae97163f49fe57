//! Sets the machine's address on its interface as `ip address add`, `ip link set up` and `ip route add default` would,
//! by ioctl(2): see netdevice(7).

use std::ffi::{c_char, c_short, c_ulong, c_ushort};
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use libc::{IFNAMSIZ, ifreq, sockaddr};
use nix::{ioctl_readwrite_bad, ioctl_write_ptr_bad};

ioctl_readwrite_bad!(get_flags, libc::SIOCGIFFLAGS, ifreq);
ioctl_write_ptr_bad!(set_flags, libc::SIOCSIFFLAGS, ifreq);
ioctl_write_ptr_bad!(set_address, libc::SIOCSIFADDR, ifreq);
ioctl_write_ptr_bad!(set_netmask, libc::SIOCSIFNETMASK, ifreq);
ioctl_write_ptr_bad!(add_route, libc::SIOCADDRT, RouteEntry);

/// `struct rtentry` of linux/route.h, which `libc` does not have for this target.
#[repr(C)]
struct RouteEntry {
    pad1: c_ulong,
    destination: sockaddr,
    gateway: sockaddr,
    netmask: sockaddr,
    flags: c_ushort,
    pad2: c_short,
    pad3: [c_ulong; 2],
    metric: c_short,
    /// A string, or null for any device; a number here, so that no pointer is ever followed.
    device: c_ulong,
    mtu: c_ulong,
    window: c_ulong,
    initial_round_trip_time: c_ushort,
}

/// A network interface.
pub struct Interface {
    name: [c_char; IFNAMSIZ],
    socket: UdpSocket,
}

impl Interface {
    /// Makes a handle for the interface `name`.
    ///
    /// # Errors
    /// The system's.
    pub fn new(name: &str) -> io::Result<Self> {
        let mut bytes = [0; IFNAMSIZ];
        // The last byte stays 0.
        for (byte, letter) in bytes[..IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
            *byte = letter as c_char;
        }
        Ok(Self {
            name: bytes,
            socket: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
        })
    }

    /// Gives the interface an address in a network of 24 bits.
    ///
    /// # Errors
    /// The system's.
    pub fn set_address(&self, address: Ipv4Addr) -> io::Result<()> {
        let (address, netmask) = (
            self.request(address),
            self.request(Ipv4Addr::new(255, 255, 255, 0)),
        );
        // SAFETY: both requests read a `struct ifreq` and keep no pointer to it.
        unsafe {
            set_address(self.socket.as_raw_fd(), &raw const address)?;
            set_netmask(self.socket.as_raw_fd(), &raw const netmask)?;
        }
        Ok(())
    }

    /// Takes the interface's address away.
    ///
    /// # Errors
    /// The system's.
    pub fn clear_address(&self) -> io::Result<()> {
        let none = self.request(Ipv4Addr::UNSPECIFIED);
        // SAFETY: the request reads a `struct ifreq` and keeps no pointer to it.
        unsafe { set_address(self.socket.as_raw_fd(), &raw const none) }?;
        Ok(())
    }

    /// Brings the interface up, or down.
    ///
    /// # Errors
    /// The system's.
    pub fn set_up(&self, is_up: bool) -> io::Result<()> {
        let up = libc::IFF_UP as c_short;
        let flags = self.flags()?;
        let mut request = self.request(Ipv4Addr::UNSPECIFIED);
        request.ifr_ifru.ifru_flags = if is_up { flags | up } else { flags & !up };
        // SAFETY: the request reads a `struct ifreq` and keeps no pointer to it.
        unsafe { set_flags(self.socket.as_raw_fd(), &raw const request) }?;
        Ok(())
    }

    /// Makes `gateway` the default route.
    ///
    /// # Errors
    /// The system's.
    pub fn set_gateway(&self, gateway: Ipv4Addr) -> io::Result<()> {
        let route = default_route(gateway);
        // SAFETY: the request reads a `struct rtentry`, whose layout `RouteEntry` has; its pointer to a device's name
        // is null.
        unsafe { add_route(self.socket.as_raw_fd(), &raw const route) }?;
        Ok(())
    }

    fn flags(&self) -> io::Result<c_short> {
        let mut request = self.request(Ipv4Addr::UNSPECIFIED);
        // SAFETY: the request reads and writes a `struct ifreq` and keeps no pointer to it. The kernel has written the
        // flags, and every bit pattern is a number.
        unsafe {
            get_flags(self.socket.as_raw_fd(), &raw mut request)?;
            Ok(request.ifr_ifru.ifru_flags)
        }
    }

    fn request(&self, address: Ipv4Addr) -> ifreq {
        ifreq {
            ifr_name: self.name,
            ifr_ifru: libc::__c_anonymous_ifr_ifru {
                ifru_addr: socket_address(address),
            },
        }
    }
}

/// Returns an address as `struct sockaddr_in` has it, without a port.
fn socket_address(address: Ipv4Addr) -> sockaddr {
    let mut data = [0; 14];
    for (byte, octet) in data[2..6].iter_mut().zip(address.octets()) {
        *byte = octet as c_char;
    }
    sockaddr {
        sa_family: libc::AF_INET as libc::sa_family_t,
        sa_data: data,
    }
}

fn default_route(gateway: Ipv4Addr) -> RouteEntry {
    RouteEntry {
        pad1: 0,
        destination: socket_address(Ipv4Addr::UNSPECIFIED),
        gateway: socket_address(gateway),
        netmask: socket_address(Ipv4Addr::UNSPECIFIED),
        flags: libc::RTF_UP | libc::RTF_GATEWAY,
        pad2: 0,
        pad3: [0; 2],
        metric: 0,
        device: 0,
        mtu: 0,
        window: 0,
        initial_round_trip_time: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn structures_are_as_the_kernel_has_them() {
        let address = socket_address(Ipv4Addr::new(10, 0, 2, 15));
        assert_eq!(
            (address.sa_family, &address.sa_data[..6]),
            (2, &[0, 0, 10, 0, 2, 15][..])
        );
        let interface = Interface::new("an-interface-with-a-long-name").unwrap();
        let name = interface
            .request(Ipv4Addr::UNSPECIFIED)
            .ifr_name
            .map(|letter| letter as u8);
        assert_eq!(&name, b"an-interface-wi\0");
        assert_eq!(size_of::<RouteEntry>(), 120);
        assert_eq!(
            [
                offset_of!(RouteEntry, gateway),
                offset_of!(RouteEntry, flags)
            ],
            [24, 56]
        );
        assert_eq!(
            [
                offset_of!(RouteEntry, metric),
                offset_of!(RouteEntry, device)
            ],
            [80, 88]
        );
        assert_eq!(default_route(Ipv4Addr::new(10, 0, 2, 2)).flags, 3);
    }

    #[test]
    fn the_loopback_interface_is_found_and_no_other() {
        let flags = Interface::new("lo").unwrap().flags().unwrap();
        assert_eq!(flags & 1, 1, "lo is up");
        let error = Interface::new("none").unwrap().set_up(true).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(19), "ENODEV");
    }
}
