//! What clients make the service keep is counted: the real bytes on the heap are never more than the counted ones.

mod common;

use common::{Bench, CLIENT, request};
use service::{Input, ServiceLimits};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts the bytes that each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<i64> = const { Cell::new(0) };
}

fn note(bytes: i64) {
    // A thread that ends may free something after its counter is gone.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: it passes every call on to the system's allocator, with the arguments that it got.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-(layout.size() as i64));
        // SAFETY: the caller keeps the contract of `dealloc`, and the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size as i64 - layout.size() as i64);
        // SAFETY: the caller keeps the contract of `realloc`, and the pointer came from the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held() -> i64 {
    HELD.with(Cell::get)
}

/// Clients that do the same.
const CLIENTS: u64 = 20;
/// What a connection has beside what is counted, in bytes: itself, and the argument slots that it keeps.
const CONNECTION_BYTES: i64 = 3 << 10;

/// Streams that make a service keep much for few bytes.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let unfinished = |arguments: usize, argument: &[u8]| {
        let argument = [
            format!("${}\r\n", argument.len()).as_bytes(),
            argument,
            b"\r\n",
        ]
        .concat();
        [b"*1000000\r\n".to_vec(), argument.repeat(arguments)].concat()
    };
    let name = "n".repeat(4 << 20);
    vec![
        (
            "a long name",
            request(&[b"CLIENT", b"SETNAME", name.as_bytes()]),
        ),
        (
            "the longest name",
            request(&[b"CLIENT", b"SETNAME", &name.as_bytes()[..256]]),
        ),
        (
            "a name by HELLO",
            request(&[b"HELLO", b"2", b"SETNAME", &name.as_bytes()[..200]]),
        ),
        (
            "what the library is called",
            request(&[b"CLIENT", b"SETINFO", b"lib-name", name.as_bytes()]),
        ),
        ("empty arguments", unfinished(33_000, b"")),
        (
            "arguments that just fit inline",
            unfinished(33_000, &[b'x'; 16]),
        ),
        (
            "arguments that just do not",
            unfinished(33_000, &[b'x'; 17]),
        ),
        (
            "an announcement",
            b"*2\r\n$4\r\nECHO\r\n$16000000\r\n".to_vec(),
        ),
        (
            "the beginning of a long argument",
            [
                b"*2\r\n$4\r\nECHO\r\n$16000000\r\n".to_vec(),
                vec![b'x'; 70_001],
            ]
            .concat(),
        ),
        (
            "a transaction that is not carried out",
            [
                b"MULTI\r\n".to_vec(),
                b"PING\r\n".repeat(2_000),
                request(&[b"ECHO", &[b'x'; 17]]).repeat(2_000),
            ]
            .concat(),
        ),
        (
            "watched keys",
            (0..5_000).fold(Vec::new(), |all, number| {
                let key = format!("a key that is watched {number}");
                [all, request(&[b"WATCH", key.as_bytes()])].concat()
            }),
        ),
        (
            "subscriptions",
            (0..400).fold(Vec::new(), |all, number| {
                let name = format!("a channel or a pattern {number}");
                let channel = request(&[b"SUBSCRIBE", name.as_bytes()]);
                [all, channel, request(&[b"PSUBSCRIBE", name.as_bytes()])].concat()
            }),
        ),
        (
            "what is sent by one who waits",
            [
                b"BLPOP 'a key that is waited for' 'and another one' 0\r\n".to_vec(),
                vec![b'x'; 300_000],
            ]
            .concat(),
        ),
        ("many keys that are waited for", {
            let keys: Vec<Vec<u8>> = (0..5_000)
                .map(|number| format!("a key that is waited for {number}").into_bytes())
                .collect();
            let keys = keys.iter().map(Vec::as_slice);
            let words: Vec<&[u8]> = [&b"BLPOP"[..]]
                .into_iter()
                .chain(keys)
                .chain([&b"0"[..]])
                .collect();
            request(&words)
        }),
        ("an unfinished line", vec![b'x'; 60_000]),
        (
            "an unfinished number",
            [b"*".to_vec(), vec![b'1'; 40_000]].concat(),
        ),
        (
            "a large request that is done",
            request(&vec![&b"EXISTS"[..]; 100_000]),
        ),
        (
            "a large inline request that is done",
            [b"a ".repeat(30_000), b"\r\n".to_vec()].concat(),
        ),
    ]
}

#[test]
fn clients_hold_no_more_than_is_counted() {
    for (what, stream) in hostile() {
        // In one piece, and in pieces of the size of a segment: buffers grow differently.
        for piece_bytes in [stream.len(), 1460] {
            let mut bench = Bench::new(ServiceLimits {
                max_pending_bytes: 1 << 30,
                ..ServiceLimits::default()
            });
            bench.host.is_deaf = true;
            let before = held();
            for connection in 2..2 + CLIENTS {
                bench.open(connection);
                for bytes in stream.chunks(piece_bytes) {
                    bench.apply(Input::Bytes { connection, bytes });
                }
            }
            let counted = bench.service.pending_bytes() as i64;
            let real = held() - before;
            let free = CLIENTS as i64 * CONNECTION_BYTES;
            assert!(
                real <= counted + free,
                "{what}: {real} bytes real, {counted} counted"
            );
            // Nor does it count much more: a limit that is reached without need refuses the honest.
            assert!(
                counted <= 3 * real + free,
                "{what}: {real} bytes real, {counted} counted"
            );
            for connection in 2..2 + CLIENTS {
                bench.apply(Input::Close { connection });
            }
            assert_eq!(bench.service.pending_bytes(), 0, "{what}");
            assert!(
                held() - before <= free,
                "{what}: {} bytes are left",
                held() - before
            );
        }
    }
}

#[test]
fn sorted_sets_take_no_more_than_is_counted() {
    // Many small ones, and a large one that grows and shrinks.
    for (sets, members) in [(2_000, 1), (500, 7), (1, 50_000)] {
        let mut bench = Bench::new(ServiceLimits::default());
        bench.host.is_deaf = true;
        let before = held();
        for set in 0..sets {
            let key = format!("a key that is long {set}");
            for member in 0..members {
                let member = format!("a member that is long {member}");
                let score = (member.len() * 7919 % 1000).to_string();
                bench.raw(
                    CLIENT,
                    &request(&[b"ZADD", key.as_bytes(), score.as_bytes(), member.as_bytes()]),
                );
            }
        }
        let check = |bench: &Bench| {
            let (counted, real) = (bench.service.used_bytes() as i64, held() - before);
            // The shards of the keyspace are there with the first key.
            let shards = 4096 * 80;
            assert!(
                real <= counted + shards,
                "{sets} with {members}: {real} real, {counted} counted"
            );
        };
        check(&bench);
        bench.send(&format!(
            "ZREMRANGEBYRANK 'a key that is long 0' 0 {}",
            members * 9 / 10
        ));
        check(&bench);
    }
}

#[test]
fn clients_that_want_too_much_are_disconnected_and_the_others_are_served() {
    const MAX_BYTES: i64 = 2 << 20;
    for (what, stream) in hostile() {
        let mut bench = Bench::new(ServiceLimits {
            max_pending_bytes: MAX_BYTES as usize,
            max_request_bytes: MAX_BYTES as usize,
            ..ServiceLimits::default()
        });
        bench.host.is_deaf = true;
        let before = held();
        for connection in 2..102 {
            bench.open(connection);
            bench.apply(Input::Bytes {
                connection,
                bytes: &stream,
            });
            let real = held() - before;
            assert!(
                real <= MAX_BYTES + 100 * CONNECTION_BYTES,
                "{what}: {real} bytes"
            );
        }
        // A request in two pieces: it waits unfinished, too.
        bench.host.is_deaf = false;
        assert_eq!(
            bench.raw(CLIENT, b"*2\r\n$4\r\nECHO\r\n$300\r\nx"),
            b"",
            "{what}"
        );
        let reply = bench.raw(CLIENT, &[vec![b'y'; 299], b"\r\n".to_vec()].concat());
        assert!(reply.starts_with(b"$300\r\nxy"), "{what}");
    }
}
