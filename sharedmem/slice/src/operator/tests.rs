use std::string::String;
use std::vec;
use std::vec::Vec;

use super::*;

/// A monitor that answers from a script.
struct Script {
    answers: Vec<&'static str>,
    orders: Vec<(ComputeOrder, String)>,
}

impl Script {
    fn of(answers: &[&'static str]) -> Self {
        let answers = answers.iter().rev().copied().collect();
        Self {
            answers,
            orders: Vec::new(),
        }
    }
}

impl Orders for Script {
    type Error = String;

    fn give(&mut self, order: ComputeOrder, text: &str) -> Result<String, String> {
        self.orders.push((order, text.into()));
        self.answers.pop().map(String::from).ok_or("silence".into())
    }

    fn error(&self, text: String) -> String {
        text
    }
}

#[test]
fn answers_are_read_back_or_refused() {
    let whole = LogPiece::parse("0 6 first").unwrap();
    assert!(whole.ends_line() && whole.text == "first");
    assert!(!LogPiece::parse("6 9 sec").unwrap().ends_line());
    assert!(
        LogPiece::parse("6 7 ").unwrap().ends_line(),
        "an empty line"
    );
    assert_eq!(whole.to_string(), "0 6 first");
    assert_eq!(LogPiece::parse("no log"), None);
    let piece = ResultText::parse("7 66 abcd").unwrap();
    assert_eq!((piece.step, piece.length), (7, 66));
    assert_eq!(piece.bytes, [0xab, 0xcd]);
    assert_eq!(piece.to_string(), "7 66 abcd");
    for wrong in ["7 66 abc", "7 66 ", "7 66", "x 66 ab", "7 66 zz"] {
        assert_eq!(ResultText::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn each_slice_is_asked_for_its_state() {
    let mut script = Script::of(&["cg heat-2", "cg running, entry 1", "heat-2 empty, entry 0"]);
    let states = states(&mut script).unwrap();
    assert_eq!(states, ["cg running, entry 1", "heat-2 empty, entry 0"]);
    assert_eq!(script.orders[2], (ComputeOrder::Status, "heat-2".into()));
}

#[test]
fn a_log_is_read_line_by_line_and_what_is_lost_is_told() {
    let mut script = Script::of(&["4 10 first", "10 12 se", "12 16 con", "16 16 "]);
    let mut log = LogReader::new("cg");
    let mut lines = Vec::new();
    log.read(&mut script, |line| lines.push(String::from(line)))
        .unwrap();
    assert_eq!(lines, ["(4 bytes are lost)", "first", "secon"]);
    let asked: Vec<&str> = script
        .orders
        .iter()
        .map(|(_, text)| text.as_str())
        .collect();
    assert_eq!(asked, ["cg 0", "cg 10", "cg 12", "cg 16"]);
    let nonsense = log.read(&mut Script::of(&["what?"]), |_| ());
    assert!(nonsense.unwrap_err().contains("no piece of a log"));
}

#[test]
fn a_result_is_of_one_step() {
    // The step changes in the middle of the first attempt.
    let mut script = Script::of(&["7 3 aabb", "8 3 cc", "8 3 1122", "8 3 33"]);
    let whole = result(&mut script, "cg", "x").unwrap();
    assert_eq!((whole.step, whole.bytes), (8, vec![0x11, 0x22, 0x33]));
    assert_eq!(script.orders[3].1, "cg x 2");
    let moving = ["1 3 aabb", "2 3 cc"].repeat(5);
    let error = result(&mut Script::of(&moving), "cg", "x").unwrap_err();
    assert!(error.contains("faster than it can be read"), "{error}");
}

#[test]
fn a_job_ends_with_its_exit_code_or_with_what_the_monitor_says() {
    let finished = "cg finished, entry 2, step 299 committed, exit code 7";
    assert_eq!(JobEnd::of(finished), Some(JobEnd::Finished(7)));
    for going in [
        "cg starting",
        "cg running, entry 1, step 3 committed",
        "cg stopping, entry 1",
    ] {
        assert_eq!(JobEnd::of(going), None);
    }
    for other in [
        "cg given-up, entry 4",
        "cg finished, entry 2",
        "cg failed, entry 1",
    ] {
        assert_eq!(JobEnd::of(other), Some(JobEnd::Other(other.into())));
    }
    let mut script = Script::of(&[
        "0 0 ",
        "cg running, entry 1",
        "cg running, entry 1",
        "0 2 a",
        "2 2 ",
        finished,
        "2 4 b",
        "4 4 ",
    ]);
    let mut log = start(&mut script, "cg", &["cg".into(), "n=8".into()]).unwrap();
    assert_eq!(script.orders[1], (ComputeOrder::Start, "cg cg n=8".into()));
    let (mut lines, mut pauses) = (Vec::new(), 0);
    let end = log.wait(
        &mut script,
        |line| lines.push(String::from(line)),
        |_| pauses += 1,
    );
    assert_eq!(end, Ok(JobEnd::Finished(7)));
    assert_eq!((lines, pauses), (vec!["a".into(), "b".into()], 1));
}
