//! Does a fixed amount of work on every CPU of a Linux guest at once, and prints how long it took: arithmetic, system
//! calls, memory, files in RAM.
//!
//! `linux-work CPUS ROUNDS DIRECTORY`: CPUs 0 to `CPUS` - 1 do `ROUNDS` each, with files in `DIRECTORY`, after a tenth
//! of that, unmeasured, to warm up. Prints `took_ns=` and `interrupts=`: the interrupts that each CPU's local timer
//! made meanwhile, separated by commas.

#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Steps of arithmetic in a round.
const STEPS: u32 = 100_000;

/// Messages through a socket in a round: two system calls each.
const MESSAGES: u32 = 100;

/// Memory taken, written and given back in a round: pages are faulted in each time.
const MEMORY_BYTES: usize = 512 << 10;

/// Length of the file that is written, read and removed in a round.
const FILE_BYTES: usize = 128 << 10;

const PAGE_BYTES: usize = 4096;

/// Keeps the calling thread on one CPU.
fn stay_on(cpu: u32) -> io::Result<()> {
    let calling_thread = Pid::from_raw(0);
    let mut cpus = CpuSet::new();
    cpus.set(cpu as usize)?;
    sched_setaffinity(calling_thread, &cpus).map_err(Into::into)
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

    /// Sends and receives messages. One thread has both ends, so it never waits.
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
    // A worker that failed must not leave the others waiting for ever.
    begin.wait();
    let mut bench = outcome?;
    (0..rounds).try_for_each(|_| bench.round())
}

/// Returns the number of interrupts that each CPU's local timer has made so far.
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
