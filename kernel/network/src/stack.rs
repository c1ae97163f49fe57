//! The network of a primary: one interface, the listeners, the connections.
//!
//! It moves bytes between clients and an [`EventSink`]. What the bytes mean, and when frames may leave, is decided by
//! its user.

use smoltcp::iface::{self, Interface, PollIngressSingleResult, PollResult, SocketSet};
use smoltcp::phy::{Device, RxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, Ipv4Address, Ipv4Cidr};

use crate::connections::{Connections, RebuildReport, Route};
use crate::event_sink::EventSink;
use crate::flows::Flows;
use crate::frame::{OneFrame, Tapped, Verified};
use crate::prebuilt::{PrebuiltSockets, instant};
use crate::segment::Local;

/// Frames taken in before their content is handed over.
const INGRESS_FRAMES: usize = 256;
/// Rounds of sending before anything else is done.
const EGRESS_ROUNDS: usize = 16;
/// Sockets rebuilt in one round for connections without a frame: other clients are served in between.
const REBUILT_PER_ROUND: usize = 4;

/// Hardware address while there is no device: one that no device has.
const UNKNOWN_MAC: EthernetAddress = EthernetAddress([0x02, 0, 0, 0, 0, 0]);

/// Addresses and limits of a network.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Own address.
    pub address: Ipv4Address,
    /// Length of the network's prefix, in bits.
    pub prefix_len: u8,
    /// Gateway to other networks.
    pub gateway: Option<Ipv4Address>,
    /// Port of the service.
    pub port: u16,
    /// A number that nobody outside can predict.
    pub seed: u64,
    /// Most connections at a time.
    pub connections_max: usize,
}

/// Interface, sockets and connections. The device holds back the frames it is given, until its user lets them leave.
pub struct Network<D> {
    device: D,
    interface: Interface,
    mac: EthernetAddress,
    local: Local,
    connections: Connections,
    prebuilt: PrebuiltSockets,
    has_replied: bool,
}

impl<D: Device> Network<D> {
    /// Makes everything that needs no working device. The interface gets its hardware address later.
    pub fn prepare(mut device: D, config: &NetworkConfig) -> Self {
        let local = Local {
            network: Ipv4Cidr::new(config.address, config.prefix_len),
            port: config.port,
        };
        Self {
            interface: new_interface(&mut device, config),
            device,
            mac: UNKNOWN_MAC,
            local,
            connections: Connections::new(local, config),
            prebuilt: PrebuiltSockets::default(),
            has_replied: false,
        }
    }

    /// Returns the device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Returns the device.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Makes sockets for quiet connections. A backup calls it while it waits and has nothing else to do.
    ///
    /// A call is one short step. Returns whether there is another one to do now.
    pub fn prebuild(&mut self, now_ns: u64, flows: &Flows) -> bool {
        let rebuilder = &mut self.connections.rebuilder;
        self.prebuilt.step(rebuilder, flows, now_ns)
    }

    /// Starts, on a device that works now. Connections of a predecessor go on; those that have something to send come
    /// first.
    pub fn start(&mut self, mac: [u8; 6], sink: &impl EventSink) {
        self.mac = EthernetAddress(mac);
        self.interface
            .set_hardware_addr(HardwareAddress::Ethernet(self.mac));
        let prebuilt = core::mem::take(&mut self.prebuilt);
        self.connections.take_over(prebuilt, sink);
    }

    /// Takes frames in. Returns whether there may be more.
    pub fn ingress(&mut self, now_ns: u64, sink: &mut impl EventSink) -> bool {
        let now = instant(now_ns);
        for _ in 0..INGRESS_FRAMES {
            let capabilities = self.device.capabilities();
            let Some((frame, answer)) = self.device.receive(now) else {
                return false;
            };
            sink.progress();
            let (interface, connections) = (&mut self.interface, &mut self.connections);
            let (mac, local) = (self.mac, self.local);
            let has_checksums = capabilities.checksum.tcp.rx();
            frame.consume(|frame| {
                match connections.route(frame, mac, has_checksums, now_ns, sink) {
                    Route::Sockets(sockets) => {
                        let mut one = OneFrame {
                            frame: Some(frame),
                            answer: Some(answer),
                            capabilities,
                        };
                        let _: PollIngressSingleResult =
                            interface.poll_ingress_single(now, &mut one, sockets);
                    }
                    Route::Answer(reply) => reply.send(answer, mac, local),
                    Route::Drop => {}
                }
            });
        }
        true
    }

    /// Commits what happened on every connection since the last call.
    pub fn report(&mut self, now_ns: u64, sink: &mut impl EventSink) {
        let Connections {
            attached,
            connections_max,
            ..
        } = &mut self.connections;
        let is_crowded = attached.len() * 4 > *connections_max * 3;
        attached.report(now_ns, is_crowded, sink);
    }

    /// Moves replies into the sockets, and frames to the device.
    pub fn egress(&mut self, now_ns: u64, sink: &mut impl EventSink) {
        let now = instant(now_ns);
        self.connections.rebuild(REBUILT_PER_ROUND, now, sink);
        let attached = &mut self.connections.attached;
        self.has_replied |= attached.fill(now_ns, sink.flows());
        attached.send_dup_acks(&mut self.device, self.mac, self.local, sink.flows(), now);
        for _ in 0..EGRESS_ROUNDS {
            if !self.send(now, sink) {
                break;
            }
        }
    }

    /// Lets every socket send a frame. Returns whether any did.
    fn send(&mut self, now: Instant, sink: &mut impl EventSink) -> bool {
        let Self {
            interface,
            connections,
            device,
            ..
        } = self;
        let mut has_sent = false;
        for (connection, attached) in connections.attached.iter_mut() {
            let mut tapped = Tapped {
                device: &mut *device,
                end: None,
            };
            let polled = interface.poll_egress(now, &mut tapped, attached.single.set_mut());
            has_sent |= polled != PollResult::None;
            if let Some((end, flow)) = tapped.end.zip(sink.flows().get(connection)) {
                attached.sent_up_to(flow, end);
            }
            sink.progress();
        }
        has_sent |= interface.poll_egress(now, device, &mut connections.others) != PollResult::None;
        has_sent
    }

    /// Returns when there is something to do even if no frame comes in, in ns; 0 for now.
    pub fn due_ns(&mut self, now_ns: u64) -> Option<u64> {
        if !self.connections.are_rebuilt() {
            return Some(0);
        }
        let now = instant(now_ns);
        let sets = self.connections.sets();
        let due = sets
            .filter_map(|set| self.interface.poll_at(now, set))
            .min()?;
        Some(u64::try_from(due.total_micros()).unwrap_or(0) * 1000)
    }

    /// Returns the set of the sockets of those who serve other ports, without a journal.
    pub fn listeners(&mut self) -> &mut SocketSet<'static> {
        &mut self.connections.others
    }

    /// Returns whether any client was replied to.
    pub fn has_replied(&self) -> bool {
        self.has_replied
    }

    /// Returns why a socket could not be rebuilt, once.
    pub fn take_complaint(&mut self) -> Option<&'static str> {
        self.connections.complaint.take()
    }

    /// Returns what was made for the connections of a predecessor, once all of them have their sockets; only once.
    pub fn take_rebuild_report(&mut self) -> Option<RebuildReport> {
        self.connections.take_rebuild_report()
    }
}

fn new_interface<D: Device>(device: &mut D, config: &NetworkConfig) -> Interface {
    let mut interface_config = iface::Config::new(HardwareAddress::Ethernet(UNKNOWN_MAC));
    interface_config.random_seed = config.seed;
    let mut interface = Interface::new(interface_config, &mut Verified(device), Instant::ZERO);
    interface.update_ip_addrs(|addresses| {
        // The list is empty, so there is room.
        let _ = addresses.push(IpCidr::new(
            IpAddress::Ipv4(config.address),
            config.prefix_len,
        ));
    });
    if let Some(gateway) = config.gateway {
        // The table is empty, so there is room.
        let _ = interface.routes_mut().add_default_ipv4_route(gateway);
    }
    interface
}
