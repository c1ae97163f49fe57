//! A plugin of QEMU that counts the instructions that a machine executes, apart for each 2 MiB of memory that they lie
//! in. Whenever a CPU comes to a mark of a computation ([`compute_slice::Mark`]), it appends a record to a file, of
//! 64-bit words of the host: the mark, the memory that it lies in, how many instructions of that memory were executed,
//! and how many of all.
//!
//! A compute slice has memory of its own for its code, so with one rank in it that is what its CPU executed; whatever
//! handles an interrupt is part of it. QEMU's own clock cannot say that, because in the deterministic model it counts
//! the instructions of all CPUs together. Nor can QEMU's counts by CPU: where all CPUs take turns in one thread, code
//! that several have in common is translated once, and QEMU 10.0 takes all of them for the first.

mod qemu;

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::Write;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};

use compute_slice::Mark;
use qemu::{Id, Info, TranslationBlock};

/// Longest instruction of x86, in bytes.
const INSTRUCTION_BYTES: usize = 15;

/// Pieces of memory that are told apart. Instructions beyond them are counted in the last one.
const PIECES: usize = 4096;

/// Size of a piece, as a power of 2.
const PIECE_SHIFT: u32 = 21;

/// Bits of a callback's argument that hold a number of instructions, or a mark; the piece is above them.
const LOW_BITS: u32 = 16;

static COUNTS: [AtomicU64; PIECES] = [const { AtomicU64::new(0) }; PIECES];
static ALL: AtomicU64 = AtomicU64::new(0);
static PIECE_OF: Mutex<Option<HashMap<usize, usize>>> = Mutex::new(None);
static FILE: OnceLock<Mutex<File>> = OnceLock::new();

/// The version of QEMU's plugin interface that this is written to: that of QEMU 9.1.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 3;

/// Installs the plugin. Its argument is `out=FILE`.
///
/// # Safety
/// For QEMU, with what it passes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    _info: *const Info,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    let arguments = (0..count.unsigned_abs() as usize).map(|index| {
        // SAFETY: QEMU passes `count` strings.
        unsafe { CStr::from_ptr(*arguments.add(index)) }.to_string_lossy()
    });
    let mut paths = arguments.filter_map(|it| it.strip_prefix("out=").map(str::to_owned));
    let Some(Ok(file)) = paths.next().map(File::create) else {
        eprintln!("instruction-counter: out=FILE is missing, or the file cannot be written");
        return 1;
    };
    if FILE.set(Mutex::new(file)).is_ok() {
        // SAFETY: QEMU's function, called with its number of this plugin and a callback.
        unsafe { qemu::qemu_plugin_register_vcpu_tb_trans_cb(id, translated) };
    }
    0
}

/// Adds to a block what counts it. In a block with a mark each instruction is counted by itself, so that a mark sees
/// those before it and no others.
unsafe extern "C" fn translated(_id: Id, block: *mut TranslationBlock) {
    // SAFETY: QEMU's functions, called with the block that QEMU passes and with what they return of it.
    unsafe {
        let count = qemu::qemu_plugin_tb_n_insns(block);
        let instructions: Vec<_> = (0..count)
            .map(|index| qemu::qemu_plugin_tb_get_insn(block, index))
            .collect();
        let Some(first) = instructions.first() else {
            return;
        };
        let piece = piece_of(qemu::qemu_plugin_insn_haddr(*first).addr() >> PIECE_SHIFT);
        let marks: Vec<Option<Mark>> = instructions
            .iter()
            .map(|instruction| {
                let mut code = [0; INSTRUCTION_BYTES];
                let to = code.as_mut_ptr().cast();
                let length = qemu::qemu_plugin_insn_data(*instruction, to, code.len());
                code.get(..length).and_then(Mark::of_instruction)
            })
            .collect();
        if marks.iter().all(Option::is_none) {
            let data = argument(piece, count);
            qemu::qemu_plugin_register_vcpu_tb_exec_cb(block, executed, qemu::NO_REGISTERS, data);
            return;
        }
        for (instruction, mark) in instructions.iter().zip(marks) {
            let callbacks: [Option<(qemu::Callback, usize)>; 2] = [
                mark.map(|mark| (marked as qemu::Callback, mark as usize)),
                Some((executed, 1)),
            ];
            for (callback, low) in callbacks.into_iter().flatten() {
                qemu::qemu_plugin_register_vcpu_insn_exec_cb(
                    *instruction,
                    callback,
                    qemu::NO_REGISTERS,
                    argument(piece, low),
                );
            }
        }
    }
}

/// Returns the number of a piece of memory.
fn piece_of(address: usize) -> usize {
    let Ok(mut pieces) = PIECE_OF.lock() else {
        return PIECES - 1;
    };
    let pieces = pieces.get_or_insert_default();
    let next = pieces.len().min(PIECES - 1);
    *pieces.entry(address).or_insert(next)
}

fn argument(piece: usize, low: usize) -> *mut c_void {
    ptr::without_provenance_mut(piece << LOW_BITS | low)
}

/// Counts instructions of a piece.
unsafe extern "C" fn executed(_cpu: c_uint, data: *mut c_void) {
    let (piece, count) = parts(data);
    COUNTS[piece].fetch_add(count, Relaxed);
    ALL.fetch_add(count, Relaxed);
}

/// Writes a record.
unsafe extern "C" fn marked(_cpu: c_uint, data: *mut c_void) {
    let (piece, mark) = parts(data);
    let own = COUNTS[piece].load(Relaxed);
    let record = [mark, piece as u64, own, ALL.load(Relaxed)];
    let bytes: Vec<u8> = record.iter().flat_map(|word| word.to_ne_bytes()).collect();
    // QEMU is killed at the end, so nothing is kept back. What is missing is noticed by the reader.
    if let Some(Ok(mut file)) = FILE.get().map(Mutex::lock) {
        let _ = file.write_all(&bytes);
    }
}

fn parts(data: *mut c_void) -> (usize, u64) {
    let word = data.addr();
    (
        (word >> LOW_BITS).min(PIECES - 1),
        (word & ((1 << LOW_BITS) - 1)) as u64,
    )
}
