//! `cargo xtask campaign`.

use std::time::{Duration, Instant};

use adversary::campaign::{self, Class, Report, Store};
use anyhow::{Result, anyhow};
use clap::Args;

use super::prepare::prepare;

/// Runs of each class, unless the command line says otherwise.
const RUNS: u64 = 20;
/// The quick form begins no run after this time.
const QUICK: Duration = Duration::from_secs(7 * 60 + 30);

/// Which faults, and how many.
#[derive(Args)]
pub struct CampaignArguments {
    /// Only this class of faults.
    #[arg(long)]
    class: Option<String>,
    /// Runs of each class [default: 20].
    #[arg(long)]
    runs: Option<u64>,
    /// The campaign's seed, from which those of its runs follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Repeats the one run with this seed, of the class that `--class` names.
    #[arg(long, requires = "class", conflicts_with_all = ["runs", "resume", "quick"])]
    replay: Option<u64>,
    /// Goes on with a campaign that was interrupted.
    #[arg(long)]
    resume: bool,
    /// Takes the classes in turn for some minutes, and begins no run after that.
    #[arg(long)]
    quick: bool,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
    /// Show the classes, and inject nothing.
    #[arg(long)]
    list: bool,
}

/// Injects faults at random. Returns false if one comes to what must not happen.
pub fn inject(arguments: &CampaignArguments) -> Result<bool> {
    let mut classes = campaign::all();
    if let Some(wanted) = &arguments.class {
        classes.retain(|class| class.name == wanted);
        if classes.is_empty() {
            return Err(anyhow!("there is no class {wanted}; --list shows them all"));
        }
    }
    if arguments.list {
        for class in classes {
            println!("{:<24} {}", class.name, class.doc);
        }
        return Ok(true);
    }
    let (_, images) = prepare()?;
    if let (Some(seed), [class]) = (arguments.replay, classes.as_slice()) {
        let record = campaign::run(class, seed, &images);
        println!("{}", record.json());
        return Ok(record.outcome.is_ok_and(campaign::Outcome::is_survived));
    }
    let mut store = Store::open(arguments.seed, arguments.resume)?;
    println!(
        "{} runs are known; a line a run: {}",
        store.records.len(),
        store.path().display()
    );
    let began = Instant::now();
    'campaign: for number in 0..arguments.runs.unwrap_or(RUNS) {
        for class in &classes {
            if arguments.quick && began.elapsed() > QUICK {
                break 'campaign;
            }
            run(
                class,
                campaign::seed_of(arguments.seed, class.name, number),
                &mut store,
                &images,
            )?;
        }
    }
    let report = Report::of(&store.records);
    println!("{report}");
    if arguments.json {
        println!("{}", report.json());
    }
    Ok(report.is_passed())
}

fn run(
    class: &Class,
    seed: u64,
    store: &mut Store,
    images: &harness::images::Images,
) -> Result<()> {
    if store.has(class.name, seed) {
        return Ok(());
    }
    let record = campaign::run(class, seed, images);
    let outcome = match &record.outcome {
        Ok(outcome) => outcome.name().to_owned(),
        Err(reason) => format!("not tried: {reason}"),
    };
    println!("{:<24} {seed:>12} {outcome}: {}", class.name, record.hit);
    Ok(store.add(record)?)
}
