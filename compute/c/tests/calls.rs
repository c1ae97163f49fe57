//! A program as C would write it, on threads of the host.

use std::ffi::{c_char, c_int, c_void};

use compute::testing::Block;
use compute::{REGIONS_MAX, VALUES_MAX};
use compute_c::{
    CPart, CRegion, Handle, compute_broadcast, compute_rank, compute_ranks, compute_run,
    compute_sum, run,
};

const BLOCKS: usize = 7;
const STEPS: u64 = 5;

/// Makes each element its index.
unsafe extern "C" fn begin(_: *mut Handle<'_, '_>, parts: *const CPart, _: *mut c_void) -> c_int {
    // SAFETY: there are two parts, of `u64`s.
    unsafe {
        let part = *parts;
        assert!(part.old.is_null());
        for own in 0..part.count {
            let element = part.next.cast::<u64>().add(own);
            assert_eq!(*element, 0);
            *element = (part.first + own) as u64;
        }
    }
    0
}

/// Adds to each element the next one of all; leaves the second region alone but for the first rank's first element.
unsafe extern "C" fn step(
    c: *mut Handle<'_, '_>,
    parts: *const CPart,
    context: *mut c_void,
) -> c_int {
    // SAFETY: as above; the context is a number.
    unsafe {
        let [part, count] = [*parts, *parts.add(1)];
        let old = part.old.cast::<u64>();
        for own in 0..part.count {
            let index = part.first + own;
            *part.next.cast::<u64>().add(own) += *old.add((index + 1) % BLOCKS);
        }
        if compute_rank(c) == 0 {
            *count.next.cast::<u64>() += 1;
        }
        let mut values = [1.0, 2.0];
        if compute_sum(c, values.as_mut_ptr(), 2) != 0 {
            return 1;
        }
        *context.cast::<f64>() = values[1];
    }
    0
}

fn regions() -> [CRegion; 2] {
    let region = |name: &'static [u8], blocks| CRegion {
        name: name.as_ptr().cast(),
        blocks,
        block_bytes: 8,
        unchecked: 0,
    };
    [region(b"x\0", BLOCKS), region(b"count\0", 3)]
}

unsafe extern "C" fn program(c: *mut Handle<'_, '_>, arguments: *const c_char) -> c_int {
    let (regions, mut sum) = (regions(), 0.0_f64);
    // SAFETY: all pointers are to what lives here.
    unsafe {
        assert_eq!(std::ffi::CStr::from_ptr(arguments), c"n=1");
        let context = (&raw mut sum).cast();
        let code = compute_run(c, regions.as_ptr(), 2, STEPS, begin, step, context);
        if code != 0 {
            return 1;
        }
        assert_eq!(sum, 2.0 * compute_ranks(c) as f64);
        // Once is enough.
        compute_run(c, regions.as_ptr(), 2, STEPS, begin, step, context) + 2
    }
}

fn enter(main: compute_c::Main, ranks: usize) -> (Option<u8>, Block) {
    let block = Block::new(ranks, 1 << 20);
    // SAFETY: `main` is such a program.
    let code = block.run(|rank| unsafe { run(rank, "n=1", main) });
    (code, block)
}

#[test]
fn steps_are_made_and_committed() {
    unsafe extern "C" fn once(c: *mut Handle<'_, '_>, _: *const c_char) -> c_int {
        let (regions, mut sum) = (regions(), 0.0_f64);
        // SAFETY: all pointers are to what lives here.
        unsafe {
            compute_run(
                c,
                regions.as_ptr(),
                2,
                STEPS,
                begin,
                step,
                (&raw mut sum).cast(),
            ) + 3
        }
    }
    let mut expected: Vec<u64> = (0..BLOCKS as u64).collect();
    for _ in 0..STEPS {
        let old = expected.clone();
        expected = (0..BLOCKS)
            .map(|i| old[i] + old[(i + 1) % BLOCKS])
            .collect();
    }
    for ranks in 1..4 {
        let (code, block) = enter(once, ranks);
        assert_eq!(code, Some(3));
        assert_eq!(block.result::<u64>("x"), expected);
        assert_eq!(block.result::<u64>("count"), [STEPS, 0, 0]);
    }
}

#[test]
fn an_error_is_kept_and_told() {
    let (code, block) = enter(program, 2);
    assert_eq!(code, None);
    assert_eq!(block.message().unwrap(), "compute_run is called once");

    unsafe extern "C" fn wrong(c: *mut Handle<'_, '_>, _: *const c_char) -> c_int {
        let mut values = [0.0; 7];
        // SAFETY: the values live here.
        unsafe {
            assert_eq!(compute_sum(c, values.as_mut_ptr(), 7), 1);
            // Nothing else works.
            compute_broadcast(c, 0, values.as_mut_ptr(), 1)
        }
    }
    let (code, block) = enter(wrong, 1);
    assert_eq!(code, None);
    let message = block.message().unwrap();
    assert_eq!(message, "an operation takes up to six values");

    unsafe extern "C" fn loud(_: *mut Handle<'_, '_>, _: *const c_char) -> c_int {
        256
    }
    assert_eq!(
        enter(loud, 1).1.message().unwrap(),
        "an exit code is 0 to 255"
    );
}

#[test]
fn the_header_has_the_same_limits() {
    let header = include_str!("../include/compute.h");
    for (name, value) in [("REGIONS", REGIONS_MAX), ("VALUES", VALUES_MAX)] {
        let line = format!("#define COMPUTE_{name}_MAX\t{value}\n");
        assert!(header.contains(&line), "{line}");
    }
}
