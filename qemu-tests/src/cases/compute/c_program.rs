//! A program in C, compiled by the host's compiler and linked with the static library, as an image of a slice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use compute::testing::Block;
use compute_slice::operator::{self, LogReader};
use hpc_tests::operator::NetworkOrders;
use sharedmem::event::{ComputeEnded, Protected};

use crate::suite::{Test, TestContext, Verdict};
use harness::archive::ArchiveWriter;
use harness::images::{BACKUP_PATH, PRIMARY_PATH};
use harness::problem::{Problem, require, require_equal};
use harness::{elf_image, files, paths};

/// What the program computes, as the solver that has the same numbers.
const SAME_JOB: &str = "heat n=12 steps=400";
const STEPS: u64 = 400;

const LINE: &str = "debug=1 admin=1 compute=heat:/boot/heat,cpus=2-3,mem=16M@0x10000000,stall=20s";

/// How a program is compiled: for an image at the end of the address space, without what a system has.
const COMPILE: [&str; 8] = [
    "-O2",
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-pic",
    "-mcmodel=kernel",
    "-mno-red-zone",
    "-ffp-contract=off",
    "-Wall",
];

/// How it is linked.
const LINK: [&str; 7] = [
    "-nostdlib",
    "-static",
    "-no-pie",
    "-Wl,--build-id=none",
    "-Wl,-z,max-page-size=0x1000",
    "-Wl,-z,norelro",
    "-Wl,--gc-sections",
];

pub(super) fn tests() -> Vec<Test> {
    let mut test = Test::new(
        "compute-c",
        "a program in C is compiled, linked with the library and run in a slice by two ranks: what it finds is bit by \
         bit what the solver in Rust finds on the host",
        LINE,
        c_program,
    );
    test.limit = Duration::from_secs(120);
    vec![test]
}

fn c_program(context: &TestContext<'_>) -> Verdict {
    let instance = &context.images.instance;
    let archive = ArchiveWriter::default()
        .image(PRIMARY_PATH, instance)
        .image(BACKUP_PATH, instance)
        .image("/boot/heat", &build("heat")?);
    let machine = context.start_with(archive)?;
    machine.wait_serving(1)?;
    machine.wait_event::<Protected>()?;
    let end = machine.wait_event::<ComputeEnded>()?;
    require_equal("why", end.why.as_str(), "finished")?;
    require_equal("exit code", end.exit_code, Some(0))?;

    let mut orders = NetworkOrders(machine.port()?);
    let mut lines = Vec::new();
    LogReader::new("heat").read(&mut orders, |line| lines.push(line.to_owned()))?;
    require(
        lines.iter().any(|it| it == "heat in C: all is cool"),
        || format!("the log is {lines:?}"),
    )?;
    let found = operator::result(&mut orders, "heat", "temperature")?;
    require_equal("step", found.step, STEPS)?;
    let block = Block::new(2, 8 << 20);
    let exit = block.run(|rank| solvers::run(rank, SAME_JOB));
    require_equal("exit code on the host", exit, Some(0))?;
    let expected = block.result::<f64>("temperature");
    let expected: Vec<u8> = expected.iter().flat_map(|it| it.to_le_bytes()).collect();
    require(found.bytes == expected, || {
        "it found something else than the solver in Rust".into()
    })?;
    machine.closing_word()
}

/// Builds an example of `compute/c` as an image.
fn build(name: &str) -> Result<Vec<u8>, Problem> {
    let sources = paths::workspace().join("compute/c");
    let scratch = paths::scratch("compute-c");
    fs::create_dir_all(&scratch).map_err(|error| Problem::of_host(scratch.display(), error))?;
    let image = scratch.join(name);
    let script = paths::workspace().join("kernel/compute-node/link.ld");
    let mut compiler = Command::new("cc");
    compiler
        .args(COMPILE)
        .args(LINK)
        .arg("-I")
        .arg(sources.join("include"))
        .arg("-T")
        .arg(script)
        .arg("-o")
        .arg(&image)
        .arg(source(&sources, name))
        .arg(paths::artifacts().join("libcompute.a"));
    let output = compiler
        .output()
        .map_err(|error| Problem::Skipped(format!("no C compiler, cc: {error}")))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    require(output.status.success(), || format!("cc: {complaints}"))?;
    elf_image::stripped(&files::read(&image)?)
}

fn source(sources: &Path, name: &str) -> PathBuf {
    sources.join("examples").join(format!("{name}.c"))
}
