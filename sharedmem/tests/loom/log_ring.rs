//! The log ring: a reader beside the kernel that writes.

use loom::sync::Arc;
use loom::thread;
use sharedmem::log_ring::{LOG_BYTES, LogRing};
use sharedmem::sync::{die_after, explore, explore_deaths};

/// Drains the ring once.
fn drain(ring: &LogRing, text: &mut Vec<u8>) -> u64 {
    let mut buffer = [0; LOG_BYTES];
    let (taken, lost) = ring.drain(&mut buffer);
    text.extend(&buffer[..taken]);
    lost
}

#[test]
fn what_is_drained_is_what_was_written() {
    explore("log ring, a reader beside its writer", 3, || {
        let ring = Arc::new(LogRing::default());
        let writer = Arc::clone(&ring);
        let writer = thread::spawn(move || [b"ab", b"\nc"].map(|text| writer.write(text)));
        let mut text = Vec::new();
        let mut lost = drain(&ring, &mut text);
        let mut line = [0; LOG_BYTES];
        let (taken, lost_before_line) = ring.drain_line(&mut line);
        text.extend(&line[..taken]);
        writer.join().unwrap();
        lost += lost_before_line + drain(&ring, &mut text);
        assert_eq!((&*text, lost), (&b"ab\nc"[..], 0));
        assert!(ring.is_drained());
    });
}

#[test]
fn a_reader_that_is_overrun_accounts_for_every_byte() {
    explore("log ring, a reader that is overrun", 3, || {
        let ring = Arc::new(LogRing::default());
        let writer = Arc::clone(&ring);
        let writer = thread::spawn(move || [b"ab\n", b"de\n"].map(|text| writer.write(text)));
        let mut line = [0; LOG_BYTES];
        let (taken, mut lost) = ring.drain_line(&mut line);
        writer.join().unwrap();
        let mut text = Vec::new();
        lost += drain(&ring, &mut text);
        assert_eq!((taken + text.len()) as u64 + lost, 6);
        assert!(b"ab\nde\n".ends_with(&text));
        assert!(ring.is_drained());
    });
}

#[test]
fn a_writer_that_dies_leaves_what_it_had_written_before() {
    explore_deaths("log ring, a writer that dies", 3, 3, |stores| {
        let ring = Arc::new(LogRing::default());
        ring.write(b"ab");
        let writer = Arc::clone(&ring);
        let writer = thread::spawn(move || die_after(stores, || writer.write(b"cd")));
        let mut text = Vec::new();
        drain(&ring, &mut text);
        let has_lived = writer.join().unwrap();
        drain(&ring, &mut text);
        assert_eq!(&text, if has_lived { &b"abcd"[..] } else { b"ab" });
    });
}
