//! Announces the machine's addresses to the neighbours, which learn the new hardware address from that: by ARP
//! announcements (RFC 5227, 2.3) and unsolicited neighbour advertisements (RFC 4861, 7.2.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, sendto, socket};

use crate::problem::Problem;

type Mac = [u8; 6];

const BROADCAST: Mac = [0xff; 6];
const ALL_NODES_MAC: Mac = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Length of an IPv6 header and of the advertisement that follows it, in bytes.
const IPV6_BYTES: usize = 40;
const ADVERTISEMENT_BYTES: usize = 32;

/// An interface with addresses to announce.
struct Interface {
    name: String,
    link: LinkAddr,
    addresses: Vec<IpAddr>,
}

/// Announces every address of the interface `name`. Returns the number of addresses.
///
/// # Errors
/// Returns an error if there is no such interface, if it is down or has no address, or if the system refuses.
pub fn interface(name: &str) -> Result<usize, Problem> {
    let all = interfaces()?;
    let found = all.iter().find(|interface| interface.name == name);
    let interface = found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        Problem::No(format!(
            "{name} is not an Ethernet interface that is up; these are: {}",
            names.join(", ")
        ))
    })?;
    match send(interface)? {
        0 => Err(Problem::No(format!("{name} has no address to announce"))),
        count => Ok(count),
    }
}

/// Announces every address of every interface that is up. Returns the number of addresses.
///
/// # Errors
/// Returns an error if the system refuses.
pub fn everywhere() -> Result<usize, Problem> {
    interfaces()?
        .iter()
        .try_fold(0, |sum, interface| Ok(sum + send(interface)?))
}

/// Returns the Ethernet interfaces that are up.
fn interfaces() -> Result<Vec<Interface>, Problem> {
    let entries: Vec<_> = getifaddrs()
        .map_err(Problem::with("listing the interfaces"))?
        .filter(|entry| {
            entry.flags.contains(InterfaceFlags::IFF_UP)
                && !entry
                    .flags
                    .intersects(InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_NOARP)
        })
        .collect();
    let with_link = entries.iter().filter_map(|entry| {
        let link = *entry.address.as_ref()?.as_link_addr()?;
        (link.halen() == size_of::<Mac>()).then_some((&entry.interface_name, link))
    });
    let interfaces = with_link.map(|(name, link)| Interface {
        name: name.clone(),
        link,
        addresses: entries
            .iter()
            .filter(|entry| entry.interface_name == *name)
            .filter_map(|entry| {
                let address = entry.address.as_ref()?;
                let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
                v4.or_else(|| Some(IpAddr::V6(address.as_sockaddr_in6()?.ip())))
            })
            .collect(),
    });
    Ok(interfaces.collect())
}

fn send(interface: &Interface) -> Result<usize, Problem> {
    let Some(mac) = interface.link.addr() else {
        return Ok(0);
    };
    let what = || Problem::with(format!("announcing the addresses of {}", interface.name));
    let flags = SockFlag::SOCK_CLOEXEC;
    // No protocol, because the socket only sends.
    let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None).map_err(what())?;
    for address in &interface.addresses {
        let frame = match address {
            IpAddr::V4(address) => arp_announcement(mac, *address),
            IpAddr::V6(address) => neighbour_advertisement(mac, *address),
        };
        let done = sendto(
            socket.as_raw_fd(),
            &frame,
            &interface.link,
            MsgFlags::empty(),
        );
        done.map_err(what())?;
    }
    Ok(interface.addresses.len())
}

fn ethernet(destination: Mac, source: Mac, ether_type: u16) -> Vec<u8> {
    [&destination[..], &source, &ether_type.to_be_bytes()].concat()
}

/// Makes an ARP request for one's own address. Every neighbour that knows the address learns from it where it is now.
fn arp_announcement(mac: Mac, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet(BROADCAST, mac, 0x0806);
    // Ethernet, IPv4, lengths of their addresses, request.
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(address.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
    // The minimum that Ethernet carries.
    frame.resize(60, 0);
    frame
}

fn neighbour_advertisement(mac: Mac, address: Ipv6Addr) -> Vec<u8> {
    const ICMPV6: u8 = 58;
    const OVERRIDE: u8 = 0x20;
    const TARGET_LINK_ADDRESS: u8 = 2;
    let mut message = vec![136, 0, 0, 0, OVERRIDE, 0, 0, 0];
    message.extend(address.octets());
    message.extend([TARGET_LINK_ADDRESS, 1]);
    message.extend(mac);
    let pseudo_header = [
        &address.octets()[..],
        &ALL_NODES.octets(),
        &(ADVERTISEMENT_BYTES as u32).to_be_bytes(),
        &[0, 0, 0, ICMPV6],
    ];
    let checksum = checksum(&[&pseudo_header.concat()[..], &message].concat());
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut frame = ethernet(ALL_NODES_MAC, mac, 0x86dd);
    // Version 6; length; hop limit 255, because receivers ignore an advertisement that a router has forwarded.
    frame.extend([0x60, 0, 0, 0, 0, ADVERTISEMENT_BYTES as u8, ICMPV6, 255]);
    frame.extend(address.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(message);
    debug_assert_eq!(frame.len(), 14 + IPV6_BYTES + ADVERTISEMENT_BYTES);
    frame
}

/// Returns the Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.as_chunks::<2>().0.iter();
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded + (folded >> 16)) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

    #[test]
    fn an_announcement_asks_for_its_own_address() {
        let frame = arp_announcement(MAC, Ipv4Addr::new(10, 0, 2, 15));
        assert_eq!(frame.len(), 60);
        assert_eq!(
            frame[..14],
            [
                255, 255, 255, 255, 255, 255, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 6
            ]
        );
        assert_eq!(frame[20..22], [0, 1], "a request");
        assert_eq!(frame[22..28], MAC);
        assert_eq!(
            (&frame[28..32], &frame[38..42]),
            (&[10, 0, 2, 15][..], &[10, 0, 2, 15][..])
        );
    }

    #[test]
    fn an_advertisement_is_one_that_its_receiver_takes() {
        let address = "fe80::5054:ff:fe12:3456".parse().unwrap();
        let frame = neighbour_advertisement(MAC, address);
        assert_eq!(frame.len(), 14 + 40 + 32);
        assert_eq!((frame[20], frame[21]), (58, 255));
        // With its checksum in place, the sum is all ones (RFC 1071).
        let (header, message) = frame[14..].split_at(IPV6_BYTES);
        let sum = [&header[8..], &[0, 0, 0, 32, 0, 0, 0, 58], message].concat();
        assert_eq!(checksum(&sum), 0);
        assert_eq!(message[0], 136);
        assert_eq!(message[8..24], address.octets());
        assert_eq!(message[24..], [2, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    }

    #[test]
    fn no_such_interface_is_said() {
        let problem = interface("nonesuch0").unwrap_err();
        assert!(
            problem
                .to_string()
                .starts_with("nonesuch0 is not an Ethernet"),
            "{problem}"
        );
    }
}
