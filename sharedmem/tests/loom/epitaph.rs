//! The epitaph: several cores die at once, and one of them writes it.

use std::fmt::Write;

use loom::sync::Arc;
use loom::thread;
use sharedmem::epitaph::{Epitaph, EpitaphCause, EpitaphText};
use sharedmem::sync::{die_after, explore, explore_deaths};

/// Returns the epitaph of a core; every field depends on the core.
fn text(core: u64) -> EpitaphText {
    let mut text = EpitaphText::new(core, EpitaphCause::Exception, core);
    (text.vector, text.error_code, text.address) = (core, core, core);
    (text.rip, text.rsp, text.time_ns) = (core, core, core);
    write!(text, "core {core} dies").unwrap();
    text
}

/// Checks that an epitaph is that of one core, as a whole.
fn check_whole(seen: &EpitaphText) {
    assert_eq!(*seen, text(seen.core), "torn");
}

#[test]
fn of_cores_that_die_at_once_one_is_remembered() {
    explore("epitaph, two cores die beside a reader", 2, || {
        let place = Arc::new(Epitaph::default());
        let cores = [1, 2].map(|core| {
            let place = Arc::clone(&place);
            thread::spawn(move || place.write(&text(core)))
        });
        if let Some(seen) = place.read() {
            check_whole(&seen);
        }
        let is_first = cores.map(|core| core.join().unwrap());
        let winner = match is_first {
            [true, false] => 1,
            [false, true] => 2,
            _ => panic!("{is_first:?}"),
        };
        assert_eq!(place.read(), Some(text(winner)));
    });
}

/// State, ten numbers, two words of message, state.
const STORES: usize = 14;

#[test]
fn a_core_that_dies_while_it_writes_leaves_nothing() {
    explore_deaths(
        "epitaph, a core that dies while it writes",
        2,
        STORES,
        |stores| {
            let place = Arc::new(Epitaph::default());
            let dying = Arc::clone(&place);
            let dying = thread::spawn(move || die_after(stores, || _ = dying.write(&text(1))));
            if let Some(seen) = place.read() {
                check_whole(&seen);
            }
            assert_eq!(dying.join().unwrap(), stores == STORES);
            // Another core finds the place taken, unless nothing was written.
            assert_eq!(place.write(&text(2)), stores == 0);
            let left = match stores {
                0 => Some(text(2)),
                STORES => Some(text(1)),
                _ => None,
            };
            assert_eq!(place.read(), left);
        },
    );
}
