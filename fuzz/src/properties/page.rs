//! The status page of a primary shows whatever its predecessor left in epitaph, log, timeline and records. No bytes
//! break out of the page, and what programs fetch is JSON.
//!
//! An input is the predecessor's log behind its length, records behind theirs, and then what is written anywhere in the
//! control block.

use arbitrary::{Result, Unstructured};
use journal::{RecentRecords, RecoverySummary};
use sharedmem::Instance;
use sharedmem::cause::StateFault;
use sharedmem::obstacle::Obstacles;
use web::{DeadPrimary, JournalStatus, PrimaryStatus, TakeoverStatus, answer};

use super::http::{is_well_formed, sent};
use crate::region::{self, Region};

/// Text that would show if anything were let through unescaped.
const CANARY: &str = "<fuzz a='b' c=\"d\">&";

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let _ = region::with(|region| scene(region, &mut Unstructured::new(data)));
}

fn scene(region: &Region, input: &mut Unstructured<'_>) -> Result<()> {
    let control = region.shared.control;
    let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
    control.instance_logs[Instance::A].write(input.bytes(length)?);
    let mut records = RecentRecords::new(2048);
    for position in 0..u64::from(input.arbitrary::<u8>()? % 8) {
        let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
        records.keep(position * 64, position, input.bytes(length)?);
    }
    records.keep(u64::MAX - 7, u64::MAX, CANARY.as_bytes());
    while !input.is_empty() && region.scribble(input).is_ok() {}
    control.instance_logs[Instance::A].write(format!("\n{CANARY}\x1b[2J\n").as_bytes());

    let epoch = control.timelines.of_epoch(2).epoch();
    let recovered = RecoverySummary {
        records: 1,
        findings: vec![CANARY.into()],
        finding_count: u64::MAX,
    };
    let status = PrimaryStatus {
        instance: Instance::B,
        version: "1.2.3",
        epoch,
        cores: 3,
        uptime_ms: u64::MAX,
        service_port: 6379,
        obstacles: Obstacles::default(),
        state_fault: Some(StateFault::Corrupt),
        journal: JournalStatus::default(),
        takeover: TakeoverStatus::of(control, epoch, recovered),
        dead: Some(DeadPrimary::of(
            control,
            Instance::A,
            CANARY,
            control.epitaphs[Instance::A].read(),
        )),
    };
    let get = |path: &str| {
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        let reply = answer(request.as_bytes(), &records, || status.clone()).expect("it is whole");
        is_well_formed(&sent(reply, &records, 4096), false).to_vec()
    };
    is_contained(&String::from_utf8(get("/")).expect("text"));
    let told: serde_json::Value = serde_json::from_slice(&get("/status.json")).expect("JSON");
    assert_eq!(told["dead"]["image"], CANARY);
    for line in String::from_utf8(get("/journal")).expect("text").lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        assert!(record["position"].is_u64());
    }
    assert!(get("/journal?raw").ends_with(format!("{CANARY}\n").as_bytes()));
    Ok(())
}

fn is_contained(page: &str) {
    assert!(page.contains("&lt;fuzz"), "the log is shown");
    assert!(!page.contains("<fuzz") && !page.contains("c=\"d\""));
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    assert!(!page.chars().any(is_harmful));
}
