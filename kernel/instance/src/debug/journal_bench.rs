//! A measurement that the kernel makes of itself: `DEBUG JOURNAL-BENCH`.

use alloc::vec::Vec;

use journal::{Journal, Owner, RawKind};
use sharedmem::control::JournalCursors;
use sharedmem::event::JournalBench;
use sharedmem::sync::AtomicU64;

use crate::context::Context;
use crate::cores::{self, LEAD};

/// Measures append and commit of 64-byte records, on a journal of its own.
pub fn run(context: &Context, records: u64) {
    const PAYLOAD: [u8; 64] = [0x5a; 64];
    const RING_WORDS: usize = 1 << 16;
    let ring: Vec<_> = (0..RING_WORDS).map(|_| AtomicU64::new(0)).collect();
    let cursors = JournalCursors::default();
    let Ok(journal) = Journal::salted(&ring[..], &cursors, context.hand_off.entropy, context.crc)
    else {
        return;
    };
    let records = records.clamp(1, 100_000);
    let mut total_ns = 0;
    let mut done = 0;
    while done < records {
        // Makes room outside of the measured time: on a protected machine the backup makes it.
        journal.restart(journal.cursors().reserved);
        let mut journal = Owner::adopt(journal);
        let batch = (records - done).min(256);
        let start_ns = context.now_ns();
        for _ in 0..batch {
            if journal.append(1, RawKind(1), &[&PAYLOAD]).is_err() {
                log::error!("the journal's measurement failed");
                return;
            }
        }
        total_ns += context.now_ns() - start_ns;
        done += batch;
        cores::core(LEAD).advance();
    }
    let told = JournalBench {
        records,
        took_ns: total_ns,
        payload_bytes: PAYLOAD.len() as u64,
    };
    log::info!("{told}");
}
