//! Runs every property on its corpus and on damaged copies of it: what a fuzzer does for hours, here for a few seconds
//! and with the same inputs each time.

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fuzz::{TARGETS, Target};

/// Number of damaged inputs for each target.
const COPIES: usize = 3_000;

/// Time after which a target gets no more inputs.
const PATIENCE: Duration = Duration::from_secs(4);

/// Limits of a committed corpus.
const FILES_MAX: usize = 64;
const BYTES_MAX: usize = 64 << 10;

fn room(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// Returns the inputs of a target, by name.
fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = room("corpus").join(target.name);
    let mut inputs: Vec<(String, Vec<u8>)> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name of text");
            (name, fs::read(entry.path()).expect("a file"))
        })
        .collect();
    inputs.sort();
    inputs
}

/// Returns the words of a dictionary in libFuzzer's format: lines `"word"`, with `\xNN` for what cannot be typed.
fn dictionary(target: &Target) -> Vec<Vec<u8>> {
    let file = room("dictionaries").join(format!("{}.dict", target.name));
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with('"'));
    lines
        .map(|line| unquoted(&line[1..line.len() - 1]))
        .collect()
}

fn unquoted(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().expect("an escape") {
                b'x' => {
                    let digits: Vec<u8> = rest.by_ref().take(2).collect();
                    let digits = std::str::from_utf8(&digits).expect("text");
                    u8::from_str_radix(digits, 16).expect("two hexadecimal digits")
                }
                other => other,
            },
            byte => byte,
        });
    }
    bytes
}

/// A source of random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

/// Makes an input that resembles those in the corpus.
fn damaged(random: &mut Random, inputs: &[(String, Vec<u8>)], words: &[Vec<u8>]) -> Vec<u8> {
    let (_, mut input) = random.of(inputs).cloned().unwrap_or_default();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        match random.below(7) {
            0 | 1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            2 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = [0, 1, 0x7f, 0x80, 0xff][random.below(5)];
                }
            }
            3 => input.truncate(at),
            4 => {
                let end = (at + random.below(16)).min(input.len());
                input.drain(at..end);
            }
            5 => {
                let word = random.of(words).cloned();
                let word = word.unwrap_or_else(|| random.next().to_le_bytes().to_vec());
                input.splice(at..at, word);
            }
            _ => {
                let (_, other) = random.of(inputs).cloned().unwrap_or_default();
                let from = random.below(other.len() + 1);
                input.splice(at.., other[from..].iter().copied());
            }
        }
    }
    input
}

/// Feeds one input. If the property does not hold, writes the input to a file and says how to replay it.
fn feed(target: &Target, name: &str, input: &[u8]) {
    if panic::catch_unwind(|| (target.property)(input)).is_ok() {
        return;
    }
    let left = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-input", target.name));
    fs::write(&left, input).expect("a file for the input");
    panic!(
        "{}, {name}: to see it again: cargo run --package fuzz --bin replay -- {} {}",
        target.name,
        target.name,
        left.display()
    );
}

fn try_target(target: &Target) {
    let (inputs, words) = (corpus(target), dictionary(target));
    for (name, input) in &inputs {
        feed(target, name, input);
    }
    let (begin, mut random) = (Instant::now(), Random(1));
    for number in 0..COPIES {
        if begin.elapsed() > PATIENCE {
            println!("{}: {number} damaged copies", target.name);
            break;
        }
        let input = damaged(&mut random, &inputs, &words);
        feed(target, &format!("damaged copy {number}"), &input);
    }
    feed(target, "nothing", b"");
}

#[test]
fn every_property_holds_for_its_corpus_and_damaged_copies_of_it() {
    thread::scope(|scope| {
        for target in &TARGETS {
            scope.spawn(move || try_target(target));
        }
    });
}

#[test]
fn corpora_are_small_and_belong_to_a_target() {
    for folder in ["corpus", "dictionaries"] {
        for entry in fs::read_dir(room(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|name| name.to_str());
            let is_known = TARGETS.iter().any(|target| Some(target.name) == name);
            assert!(is_known, "{}: there is no such target", path.display());
        }
    }
    for target in TARGETS {
        let inputs = corpus(&target);
        let bytes: usize = inputs.iter().map(|(_, input)| input.len()).sum();
        assert!(
            (1..=FILES_MAX).contains(&inputs.len()),
            "{}: {} files",
            target.name,
            inputs.len()
        );
        assert!(bytes <= BYTES_MAX, "{}: {bytes} bytes", target.name);
    }
}
