//! The MSI-X table, against a device whose writes arrive late and which panics when an unmasked entry is changed.

use std::cell::RefCell;

use ipi::{DestinationError, MessageError, Mmio, MsiMessage, MsixTable, TableError};

const MASKED: u32 = 1;
/// Reserved bits of the control word, which must stay as they are.
const RESERVED: u32 = 0xabcd_0ff0;

#[derive(Default)]
struct State {
    words: Vec<u32>,
    /// Writes on their way; a read makes them arrive.
    late: Vec<(usize, u32)>,
    log: Vec<(usize, u32)>,
}

struct FakeTable(RefCell<State>);

impl FakeTable {
    fn new(entries: &[[u32; 4]]) -> Self {
        Self(RefCell::new(State {
            words: entries.concat(),
            ..State::default()
        }))
    }

    /// Returns the words that have arrived at the device, without making others arrive.
    fn arrived(&self, entry: usize) -> [u32; 4] {
        self.0.borrow().words[entry * 4..][..4].try_into().unwrap()
    }

    fn take_log(&self) -> Vec<(usize, u32)> {
        std::mem::take(&mut self.0.borrow_mut().log)
    }
}

impl Mmio for &FakeTable {
    fn read(&self, offset: usize) -> u32 {
        let state = &mut *self.0.borrow_mut();
        for (offset, value) in state.late.drain(..) {
            let control = state.words[offset / 16 * 4 + 3];
            assert!(
                offset % 16 == 12 || control & MASKED != 0,
                "offset {offset:#x} is changed while the entry may send"
            );
            state.words[offset / 4] = value;
        }
        state.words[offset / 4]
    }

    fn write(&self, offset: usize, value: u32) {
        let state = &mut *self.0.borrow_mut();
        assert!(
            offset / 4 < state.words.len(),
            "offset {offset:#x} lies outside the table"
        );
        state.late.push((offset, value));
        state.log.push((offset, value));
    }
}

const OPEN: [u32; 4] = [0xfee0_3000, 0, 0x51, RESERVED];
const CLOSED: [u32; 4] = [0xfee0_3000, 0, 0x51, RESERVED | MASKED];

#[test]
fn setting_masks_first_and_leaves_it_masked() {
    let fake = FakeTable::new(&[CLOSED, OPEN]);
    let mut table = MsixTable::with_words(&fake, 2);
    table
        .set(
            1,
            MsiMessage {
                address: 0x1_fee0_5000,
                data: 0x61,
            },
        )
        .unwrap();
    let expected = [
        (0x1c, RESERVED | MASKED),
        (0x10, 0xfee0_5000),
        (0x14, 1),
        (0x18, 0x61),
    ];
    assert_eq!(fake.take_log(), expected);
    table.unmask(1).unwrap();
    assert_eq!(fake.arrived(1), [0xfee0_5000, 1, 0x61, RESERVED]);
    assert_eq!(fake.arrived(0), CLOSED);
}

#[test]
fn a_mask_has_arrived_when_the_call_returns() {
    let fake = FakeTable::new(&[OPEN, OPEN]);
    let mut table = MsixTable::with_words(&fake, 2);
    table.mask(1).unwrap();
    assert_eq!((fake.arrived(0), fake.arrived(1)), (OPEN, CLOSED));
    table.unmask(1).unwrap();
    assert_eq!(fake.arrived(1), OPEN);
}

#[test]
fn masking_all_reaches_the_last_entry() {
    let fake = FakeTable::new(&[OPEN, CLOSED, OPEN]);
    MsixTable::with_words(&fake, 3).mask_all();
    assert_eq!([0, 1, 2].map(|entry| fake.arrived(entry)), [CLOSED; 3]);
}

#[test]
fn retargeting_keeps_vector_and_mask() {
    for before in [OPEN, CLOSED] {
        let fake = FakeTable::new(&[before]);
        MsixTable::with_words(&fake, 1).retarget(0, 7).unwrap();
        assert_eq!(fake.arrived(0), [0xfee0_7000, 0, 0x51, before[3]]);
        let controls: Vec<u32> = fake
            .take_log()
            .into_iter()
            .filter(|(offset, _)| *offset == 12)
            .map(|(_, value)| value)
            .collect();
        assert_eq!(controls, [RESERVED | MASKED, before[3]]);
    }
}

#[test]
fn a_message_is_read_whole() {
    let fake = FakeTable::new(&[OPEN, [0xfee0_4000, 2, 0x4062, 0]]);
    let table = MsixTable::with_words(&fake, 2);
    assert_eq!(
        table.message(1),
        Ok(MsiMessage {
            address: 0x2_fee0_4000,
            data: 0x4062
        })
    );
    assert_eq!(table.entry_count(), 2);
}

#[test]
fn garbage_and_far_destinations_are_refused_and_nothing_is_written() {
    let garbage = [0xdead_beec, 0x1234, 0x51, 0];
    let fake = FakeTable::new(&[OPEN, garbage]);
    let mut table = MsixTable::with_words(&fake, 2);
    let error = MessageError::Address(0x1234_dead_beec);
    assert_eq!(
        table.retarget(1, 7),
        Err(TableError::Message { entry: 1, error })
    );
    let error = MessageError::Destination(DestinationError {
        destination: 0x100,
        max: 0xfe,
    });
    assert_eq!(
        table.retarget(0, 0x100),
        Err(TableError::Message { entry: 0, error })
    );
    assert_eq!(fake.take_log(), []);
}

#[test]
fn an_entry_that_is_not_there_is_refused() {
    let fake = FakeTable::new(&[OPEN; 3]);
    let mut table = MsixTable::with_words(&fake, 3);
    for entry in [3, 2048, u16::MAX] {
        let error = TableError::Entry {
            entry,
            entry_count: 3,
        };
        assert_eq!(
            table.set(
                entry,
                MsiMessage {
                    address: 0,
                    data: 0
                }
            ),
            Err(error)
        );
        assert_eq!(table.mask(entry), Err(error));
        assert_eq!(table.unmask(entry), Err(error));
        assert_eq!(table.message(entry), Err(error));
        assert_eq!(table.retarget(entry, 1), Err(error));
    }
    assert_eq!(fake.take_log(), []);
    let text = table.mask(3).unwrap_err().to_string();
    assert_eq!(
        text,
        "MSI-X table: there is no entry 3; it has 3, from 0 on"
    );
}

#[test]
fn a_table_in_memory_is_reached_at_its_bytes() {
    let mut words = [[0_u32, 0, 0, MASKED]; 2];
    // SAFETY: two entries of 16 aligned bytes of this test's own, in place of a device's.
    let mut table = unsafe { MsixTable::new(words.as_mut_ptr().cast(), 2) };
    table.set(1, MsiMessage::fixed(3, 0x51).unwrap()).unwrap();
    table.unmask(1).unwrap();
    assert_eq!(words, [[0, 0, 0, MASKED], [0xfee0_3000, 0, 0x51, 0]]);
}
