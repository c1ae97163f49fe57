//! Runs tests and prints how they went.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::{Test, TestContext, tail};
use harness::emulator;
use harness::images::Images;
use harness::paths;
use harness::problem::Problem;
use harness::score::Score;
use harness::setup::{HostTools, WITH_X2APIC};

/// Lines of the console that are shown of a test that failed.
const TAIL_LINES: usize = 30;

/// Selects the tests whose name contains `filter`, or the one with exactly that name; without a filter all but the
/// long ones.
pub fn select(mut tests: Vec<Test>, filter: Option<&str>) -> Vec<Test> {
    let Some(filter) = filter else {
        tests.retain(|test| !test.is_long);
        return tests;
    };
    let is_exact = tests.iter().any(|test| test.name == filter);
    let is_wanted = |test: &Test| {
        if is_exact {
            test.name == filter
        } else {
            test.name.contains(filter)
        }
    };
    tests.into_iter().filter(is_wanted).collect()
}

/// Runs `tests`, `jobs` of them at a time, and prints how each went.
pub fn run(tests: &[Test], images: &Images, tools: HostTools, jobs: usize) -> Score {
    let next = Mutex::new(tests.iter());
    let score = Mutex::new(Score::default());
    let work = || {
        loop {
            let Some(test) = next.lock().expect(NO_PANIC).next() else {
                return;
            };
            let start = Instant::now();
            let outcome = run_one(test, images, tools);
            // One report at a time, in one piece.
            let mut score = score.lock().expect(NO_PANIC);
            score.count(&outcome);
            print!("{}", report(test, &outcome, start.elapsed()));
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
    score.into_inner().expect(NO_PANIC)
}

const NO_PANIC: &str = "a test that panics ends the program";

fn run_one(test: &Test, images: &Images, tools: HostTools) -> Result<(), Problem> {
    if test.needs_x2apic && !tools.qemu.has_x2apic() {
        let reason = format!(
            "QEMU {} emulates no x2APIC, {WITH_X2APIC} or later is missing",
            tools.qemu
        );
        return Err(Problem::Skipped(reason));
    }
    emulator::once_more(&test.name, &paths::log(&test.name), || {
        let context = TestContext::new(test, images, tools.qemu)?;
        match (test.body)(&context) {
            // What failed did so because the machine was killed.
            Err(Problem::Failed(text)) if context.time_left().is_zero() => {
                Err(Problem::TimedOut(text))
            }
            outcome => outcome.map(|_closing_word| ()),
        }
    })
}

fn report(test: &Test, outcome: &Result<(), Problem>, duration: Duration) -> String {
    let name = &test.name;
    let head = format!("test {name} ... ");
    match outcome {
        Ok(()) => format!("{head}ok ({:.1} s)\n", duration.as_secs_f64()),
        Err(Problem::Skipped(reason)) => format!("{head}skipped: {reason}\n"),
        Err(problem) => {
            let log = paths::log(name);
            let mut text = format!("{head}{problem} ({:.1} s)\n", duration.as_secs_f64());
            text += &format!(
                "    {}\n    the last lines of {}:\n",
                test.doc,
                log.display()
            );
            for line in tail(&log, TAIL_LINES) {
                text += &format!("    | {line}\n");
            }
            text + &format!("    again: cargo xtask test {name}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::setup::Version;

    fn test(name: &str, problem: impl Fn() -> Problem + Send + Sync + 'static) -> Test {
        Test::new(name, "nothing holds", "", move |_| Err(problem()))
    }

    fn images() -> Images {
        Images {
            kernel: "k".into(),
            archive: "a".into(),
            instance: Vec::new(),
        }
    }

    const OLD: HostTools = HostTools {
        qemu: Version { major: 7, minor: 2 },
    };

    #[test]
    fn a_filter_is_a_name_or_a_part_of_one() {
        let names = |filter| {
            let tests = ["panic", "panic-twice", "hang"]
                .map(|name| test(name, || Problem::Failed(String::new())));
            let selected = select(tests.into(), filter);
            selected
                .into_iter()
                .map(|test| test.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(None).len(), 3);
        assert_eq!(names(Some("panic")), ["panic"]);
        assert_eq!(names(Some("an")), ["panic", "panic-twice", "hang"]);
        assert!(names(Some("boot")).is_empty());
    }

    #[test]
    fn a_long_test_is_run_only_when_it_is_named() {
        let tests = || {
            let mut long = test("long", || Problem::Failed(String::new()));
            long.is_long = true;
            vec![test("short", || Problem::Failed(String::new())), long]
        };
        let names = |filter| select(tests(), filter).into_iter().map(|test| test.name);
        assert!(names(None).eq(["short"]));
        assert!(names(Some("o")).eq(["short", "long"]));
    }

    #[test]
    fn outcomes_are_counted_and_told_apart() {
        let mut x2apic = test("unit-x2apic", || Problem::Failed("ran".into()));
        x2apic.needs_x2apic = true;
        let tests = [
            test("unit-failed", || Problem::Failed("wrong".into())),
            test("unit-late", || Problem::TimedOut("late".into())),
            test("unit-broken", || Problem::BrokenSetUp("no QEMU".into())),
            x2apic,
        ];
        assert_eq!(
            run(&tests, &images(), OLD, 2),
            Score {
                passed: 0,
                failed: 3,
                skipped: 1
            }
        );
        assert_eq!(
            Score {
                passed: 1,
                failed: 2,
                skipped: 3
            }
            .to_string(),
            "1 passed, 2 failed, 3 skipped"
        );
        let skipped = run_one(&tests[3], &images(), OLD).unwrap_err();
        assert!(skipped.text().contains("QEMU 7.2") && skipped.text().contains("9.0"));
    }

    #[test]
    fn what_fails_when_the_time_is_up_is_a_time_out() {
        let mut late = test("unit-killed", || Problem::Failed("connection lost".into()));
        late.limit = Duration::ZERO;
        let outcome = run_one(&late, &images(), OLD);
        assert_eq!(outcome, Err(Problem::TimedOut("connection lost".into())));
    }

    #[test]
    fn a_failure_says_where_to_look_and_how_to_run_it_again() {
        let test = test("unit-report", || Problem::TimedOut("no event".into()));
        let log = paths::fresh_log("unit-report").unwrap();
        let lines: String = (0..40).map(|number| format!("line {number}\n")).collect();
        std::fs::write(&log, lines).unwrap();
        let text = report(
            &test,
            &Err(Problem::TimedOut("no event".into())),
            Duration::from_secs(2),
        );
        assert!(
            text.starts_with(
                "test unit-report ... TIME-OUT: no event (2.0 s)\n    nothing holds\n"
            )
        );
        assert!(
            text.contains("    | line 10\n")
                && !text.contains("| line 9\n")
                && text.contains("| line 39\n")
        );
        assert!(text.ends_with("again: cargo xtask test unit-report\n"));
    }
}
