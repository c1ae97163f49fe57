//! `linux-devices`: each kind of network card and disk, in each kind of place, with and without an IOMMU: does it come
//! back when its Linux dies, and how soon?
//!
//! One machine has many devices, besides a network card that is known to work and by which the disks are asked.
//! `run` plays it.

mod report;
mod run;

use linux_kit::devices::{Behind, Card, Disk, Placed};
use linux_kit::hardware::Hardware;

pub use report::{Row, is_passed, json, table};
pub use run::{LIMIT, run};

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A network card.
    Card(Card),
    /// A disk.
    Disk(Disk),
}

impl Kind {
    fn all() -> impl Iterator<Item = Self> {
        let cards = Card::ALL.into_iter().map(Self::Card);
        cards.chain(Disk::ALL.into_iter().map(Self::Disk))
    }

    /// Returns its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Card(card) => card.name(),
            Self::Disk(disk) => disk.name(),
        }
    }
}

/// What is tried: devices of one kind, each in a place of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    kind: Kind,
    count: u32,
    behind: Behind,
}

impl Device {
    fn name(&self) -> String {
        match self.count {
            1 => self.kind.name().into(),
            count => format!("{count} x {}", self.kind.name()),
        }
    }
}

/// A machine with devices that are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    devices: Vec<Device>,
    has_iommu: bool,
}

/// Returns all trials: each device in each place with and without an IOMMU, and two of each.
pub fn all() -> Vec<Trial> {
    let of = |count, behind| {
        let device = move |kind| Device {
            kind,
            count,
            behind,
        };
        Kind::all().map(device)
    };
    let trial = |devices, has_iommu| Trial { devices, has_iommu };
    let mut trials = Vec::new();
    for has_iommu in [false, true] {
        for behind in Behind::ALL {
            trials.push(trial(of(1, behind).collect(), has_iommu));
        }
    }
    let is_card = |device: &Device| matches!(device.kind, Kind::Card(_));
    let (cards, disks) = of(2, Behind::Port).partition(is_card);
    trials.extend([trial(cards, false), trial(disks, false)]);
    trials
}

/// Returns the one trial of the quick form: each kind of place occurs, and two of a kind.
pub fn few() -> Vec<Trial> {
    let device = |kind, count, behind| Device {
        kind,
        count,
        behind,
    };
    vec![Trial {
        devices: vec![
            device(Kind::Card(Card::E1000e), 1, Behind::Port),
            device(Kind::Card(Card::Igb), 1, Behind::Bridge),
            device(Kind::Card(Card::Rtl8139), 1, Behind::Root),
            device(Kind::Disk(Disk::VirtioScsi), 1, Behind::Bridge),
            device(Kind::Disk(Disk::Nvme), 2, Behind::Port),
            device(Kind::Disk(Disk::Ahci), 1, Behind::Root),
        ],
        has_iommu: false,
    }]
}

/// Keeps of these trials the devices whose name has one of the `parts`; an empty list keeps all.
pub fn only(trials: Vec<Trial>, parts: &[String]) -> Vec<Trial> {
    let keep = |mut trial: Trial| {
        let iommu = if trial.has_iommu { "-iommu" } else { "" };
        trial.devices.retain(|device| {
            let name = format!("{}-{}{iommu}", device.name(), device.behind.name());
            let name = name.replace(' ', "-");
            parts.is_empty() || parts.iter().any(|part| name.contains(part))
        });
        trial
    };
    let trials = trials.into_iter().map(keep);
    trials.filter(|trial| !trial.devices.is_empty()).collect()
}

impl Trial {
    /// Returns the cards and disks of its devices, one device after the other; so many of each device.
    fn expand<T>(&self, pick: impl Fn(Kind) -> Option<T>) -> Vec<Placed<T>>
    where
        T: Clone,
    {
        let mut all = Vec::new();
        for device in &self.devices {
            let Some(kind) = pick(device.kind) else {
                continue;
            };
            let placed = Placed {
                kind,
                behind: device.behind,
                is_translated: self.has_iommu,
            };
            all.resize(all.len() + device.count as usize, placed);
        }
        all
    }

    /// Describes the machine. Its first card is the one that is known to work: it goes round the IOMMU.
    fn hardware(&self) -> Hardware {
        let mut cards = vec![Placed::on_root(Card::Virtio)];
        cards.extend(self.expand(|kind| match kind {
            Kind::Card(card) => Some(card),
            Kind::Disk(_) => None,
        }));
        let disks = self.expand(|kind| match kind {
            Kind::Disk(disk) => Some(disk),
            Kind::Card(_) => None,
        });
        let usual = Hardware::default();
        Hardware {
            has_translation: self.has_iommu,
            cards,
            // A machine in which no disk is tried has one as well: the service wants it.
            disks: if disks.is_empty() { usual.disks } else { disks },
            ..usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_device_is_tried_in_every_place_and_twice() {
        let trials = all();
        let rows = trials.iter().flat_map(|trial| {
            let iommu = trial.has_iommu;
            trial.devices.iter().map(move |device| (*device, iommu))
        });
        let rows: Vec<(Device, bool)> = rows.collect();
        assert_eq!(rows.len(), 9 * 3 * 2 + 9);
        assert_eq!(rows.iter().collect::<HashSet<_>>().len(), rows.len());
    }

    #[test]
    fn a_machine_has_what_is_tried_and_a_card_that_works() {
        let hardware = few()[0].hardware();
        let cards: Vec<Card> = hardware.cards.iter().map(|card| card.kind).collect();
        assert_eq!(
            cards,
            [Card::Virtio, Card::E1000e, Card::Igb, Card::Rtl8139]
        );
        let disks: Vec<Disk> = hardware.disks.iter().map(|disk| disk.kind).collect();
        assert_eq!(
            disks,
            [Disk::VirtioScsi, Disk::Nvme, Disk::Nvme, Disk::Ahci]
        );
        assert!(!hardware.has_translation);
        let arguments = all()[3].hardware().arguments(&["d"; 5]).join(" ");
        assert!(arguments.contains("intremap=on,eim=on "), "{arguments}");
        assert!(
            arguments.contains("drive=d0,disable-legacy=on,iommu_platform=on"),
            "{arguments}"
        );
        assert!(
            arguments.contains("mac=52:54:00:12:34:56,disable-legacy=on -"),
            "{arguments}"
        );
    }

    #[test]
    fn devices_are_chosen_by_a_part_of_their_name() {
        let chosen = |part: &str| only(all(), &[part.into()]);
        let count = |part: &str| {
            chosen(part)
                .iter()
                .map(|trial| trial.devices.len())
                .sum::<usize>()
        };
        assert_eq!(count("nvme"), 7);
        assert_eq!(count("nvme-root-port-iommu"), 1);
        assert_eq!(count("2-x"), 9);
        assert_eq!(count("tape"), 0);
        assert_eq!(only(all(), &[]), all());
    }
}
