//! `bench hpc`: what a computation in a compute slice notices of what happens beside it, and what its own death costs.
//!
//! Everything is measured from outside, in the deterministic model: a plugin of QEMU counts the instructions of each
//! CPU between marks of the ranks, and QEMU's log has every interrupt.
//!
//! | file | what is measured |
//! |---|---|
//! | `undisturbed` | interrupts on compute cores, and a fixed quantum of work |
//! | `takeover` | the steps of a computation while a primary dies beside it |
//! | `deaths` | the own death of a computation at seeded instants, by every cause |
//! | `cost` | what a commit costs, and a death with little and with much data |
//! | `machine` | the machine of all of these |
//! | `report` | the figures and their targets |

mod cost;
mod deaths;
mod machine;
mod report;
mod takeover;
mod undisturbed;

use std::path::PathBuf;

use harness::archive::ArchiveWriter;
use harness::files;
use harness::images::{BACKUP_PATH, Images, PRIMARY_PATH};
use harness::paths;
use harness::problem::Problem;
use harness::setup::{HostTools, Version};

use machine::NODE_PATH;
use report::Figure;
pub use report::HpcReport;

/// The model's time for an instruction: `-icount shift=3`.
const NS_PER_INSTRUCTION: f64 = 8.0;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Model time of the undisturbed run, in s.
    pub undisturbed_s: f64,
    /// Own deaths at seeded instants.
    pub deaths: u64,
    /// Own deaths of a computation with little data.
    pub small_deaths: usize,
    /// MiB of the larger of the two regions behind which a computation resumes.
    pub large_mib: u64,
    /// Points along an edge of the problem whose commits are measured.
    pub commit_n: u64,
}

impl Extent {
    /// All that is promised.
    pub const WHOLE: Self = Self {
        undisturbed_s: 10.0,
        deaths: 200,
        small_deaths: 30,
        large_mib: 1024,
        // Three regions of 8 bytes a point, 68 MiB on one core; HPCG wants multiples of 8.
        commit_n: 144,
    };

    /// A short form, which shows that every measurement works. Its figures have other labels.
    pub const QUICK: Self = Self {
        undisturbed_s: 0.5,
        deaths: 6,
        small_deaths: 4,
        large_mib: 64,
        commit_n: 40,
    };
}

/// A measurement.
type Measure = fn(&Bench<'_>) -> Result<Vec<Figure>, Problem>;

/// What the measurements boot.
struct Bench<'a> {
    images: &'a Images,
    archive: PathBuf,
    log: PathBuf,
    qemu: Version,
    extent: Extent,
    seed: u64,
}

/// Measures everything, or the parts whose names have `only` in them.
///
/// # Errors
/// A machine does not do what it should.
pub fn run(
    images: &Images,
    tools: HostTools,
    extent: Extent,
    seed: u64,
    only: &str,
) -> Result<HpcReport, Problem> {
    let node = files::read(&paths::artifacts().join("compute-node"))?;
    let archive = paths::scratch("bench-hpc").join("boot.cpio");
    let writer = ArchiveWriter::default()
        .image(PRIMARY_PATH, &images.instance)
        .image(BACKUP_PATH, &images.instance)
        .image(NODE_PATH, &node);
    files::write(&archive, &writer.finish())?;
    let bench = Bench {
        images,
        archive,
        log: paths::fresh_log("bench-hpc")?,
        qemu: tools.qemu,
        extent,
        seed,
    };
    let mut figures = Vec::new();
    let parts: [(&str, Measure); 5] = [
        ("an undisturbed computation", undisturbed::measure),
        ("a takeover beside a computation", takeover::measure),
        ("own deaths", deaths::measure),
        ("deaths with little and with much data", cost::resume),
        ("a commit", cost::commit),
    ];
    for (what, measure) in parts {
        if !what.contains(only) {
            continue;
        }
        println!("bench: {what}");
        figures.extend(measure(&bench).map_err(|problem| problem.while_doing(what))?);
    }
    figures.push(Figure::not_measured(
        "cg_gflops_ratio_to_linux",
        "conjugate gradients, GFLOP/s over those under Linux",
        "the solver is not built for Linux",
    ));
    Ok(HpcReport { figures, extent })
}
