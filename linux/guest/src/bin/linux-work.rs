//! A fixed amount of work on every CPU of a Linux guest at once: arithmetic, system calls, memory, and files in RAM. Tells how long it took.
//!
//! `linux-work CPUS ROUNDS DIRECTORY`: CPUs 0 to `CPUS` - 1 do `ROUNDS` each, with files in `DIRECTORY`. A tenth is done before, unmeasured.
//! Prints `took_ns=` and `interrupts=`, those of the CPUs' local timers meanwhile, separated by commas.

use std::env;
use std::ffi::{c_int, c_ulong};
use std::fs;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Steps of arithmetic in a round.
const STEPS: u32 = 100_000;

/// Messages through a socket in a round: two system calls each.
const MESSAGES: u32 = 100;

/// Memory taken, written and given back in a round: pages are faulted in each time.
const MEMORY_BYTES: usize = 512 << 10;

/// Length of the file that is written, read and removed in a round.
const FILE_BYTES: usize = 128 << 10;

const PAGE_BYTES: usize = 4096;

unsafe extern "C" {
    fn sched_setaffinity(thread: c_int, bytes: usize, mask: *const c_ulong) -> c_int;
}

/// Keeps the calling thread on one CPU.
fn stay_on(cpu: u32) -> io::Result<()> {
    let mask = 1_u64.checked_shl(cpu).unwrap_or_default() as c_ulong;
    // SAFETY: sched_setaffinity(2) reads as many bytes as it is told, which are those of `mask`, and keeps no pointer; 0 is the calling thread.
    match unsafe { sched_setaffinity(0, size_of_val(&mask), &raw const mask) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What one CPU works with.
struct Bench {
    file: PathBuf,
    ends: (UnixStream, UnixStream),
    number: u64,
}

impl Bench {
    fn new(directory: &Path, cpu: u32) -> io::Result<Self> {
        Ok(Self {
            file: directory.join(format!("work-{cpu}")),
            ends: UnixStream::pair()?,
            number: u64::from(cpu) + 1,
        })
    }

    fn round(&mut self) -> io::Result<()> {
        for _ in 0..STEPS {
            self.number ^= self.number << 13;
            self.number ^= self.number >> 7;
            self.number ^= self.number << 17;
        }
        self.talk()?;
        let mut memory = vec![0_u8; MEMORY_BYTES];
        for page in memory.chunks_mut(PAGE_BYTES) {
            page[0] = self.number as u8;
        }
        black_box(&memory);
        fs::write(&self.file, &memory[..FILE_BYTES])?;
        black_box(fs::read(&self.file)?);
        fs::remove_file(&self.file)
    }

    /// One thread at both ends: nobody is waited for.
    fn talk(&mut self) -> io::Result<()> {
        let mut message = self.number.to_le_bytes();
        for _ in 0..MESSAGES {
            self.ends.0.write_all(&message)?;
            self.ends.1.read_exact(&mut message)?;
        }
        Ok(())
    }
}

fn work(cpu: u32, rounds: u32, directory: &Path, begin: &Barrier) -> io::Result<()> {
    let outcome = stay_on(cpu).and_then(|()| {
        let mut bench = Bench::new(directory, cpu)?;
        (0..rounds / 10).try_for_each(|_| bench.round())?;
        Ok(bench)
    });
    // One that failed must not let the others wait for ever.
    begin.wait();
    let mut bench = outcome?;
    (0..rounds).try_for_each(|_| bench.round())
}

/// The interrupts that each CPU's local timer has made so far.
fn timer_interrupts() -> io::Result<Vec<u64>> {
    let table = fs::read_to_string("/proc/interrupts")?;
    let row = table
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("LOC:"));
    let counts = row.into_iter().flat_map(str::split_whitespace);
    Ok(counts.map_while(|word| word.parse().ok()).collect())
}

fn measure(cpus: u32, rounds: u32, directory: &Path) -> io::Result<(Duration, Vec<u64>)> {
    let begin = Barrier::new(cpus as usize + 1);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cpus)
            .map(|cpu| {
                let begin = &begin;
                scope.spawn(move || work(cpu, rounds, directory, begin))
            })
            .collect();
        begin.wait();
        let before = timer_interrupts()?;
        let started = Instant::now();
        for worker in workers {
            worker
                .join()
                .map_err(|_| io::Error::other("a worker panicked"))??;
        }
        let took = started.elapsed();
        let after = timer_interrupts()?;
        let made = before
            .iter()
            .zip(&after)
            .map(|(before, after)| after - before);
        Ok((took, made.collect()))
    })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let parsed = match arguments.as_slice() {
        [cpus, rounds, directory] => cpus
            .parse()
            .ok()
            .zip(rounds.parse().ok())
            .map(|(cpus, rounds)| (cpus, rounds, directory)),
        _ => None,
    };
    let Some((cpus, rounds, directory)) = parsed else {
        eprintln!("usage: linux-work CPUS ROUNDS DIRECTORY");
        return ExitCode::from(2);
    };
    match measure(cpus, rounds, directory.as_ref()) {
        Ok((took, interrupts)) => {
            let interrupts: Vec<String> = interrupts.iter().map(u64::to_string).collect();
            println!(
                "took_ns={} interrupts={}",
                took.as_nanos(),
                interrupts.join(",")
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("linux-work: {error}");
            ExitCode::FAILURE
        }
    }
}
