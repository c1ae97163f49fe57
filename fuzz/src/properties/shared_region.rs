//! Every reader of the control block gets bounded values in bounded work, although a hostile peer may write between any
//! two of its looks.
//!
//! An input is a sequence of acts: a peer that writes as it should, or anywhere; and a reader that looks at everything.

use std::fmt::Write;

use arbitrary::{Result, Unstructured};
use sharedmem::Instance;
use sharedmem::abi::{CONTROL_BYTES, MAX_CORES};
use sharedmem::cause::Cause;
use sharedmem::control::Control;
use sharedmem::epitaph::{EpitaphCause, EpitaphText};
use sharedmem::keepalive::Keepalive;
use sharedmem::log_ring::{LOG_BYTES, LogRing};
use sharedmem::mailbox::{ARGUMENTS, Answer, Command};
use sharedmem::resume_slot::Ticket;
use sharedmem::timeline::{Counter, Edge, TIMELINES};
use takeover::detector::{Detector, DetectorConfig, Verdict};

use crate::region::{self, REGION_BYTES, Region};

const CONFIG: DetectorConfig = DetectorConfig {
    keepalive_ns: 1_000_000,
    timeout_ns: 10_000_000,
    boot_timeout_ns: 100_000_000,
};

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    region::with(|region| {
        let mut reader = Reader {
            region,
            now_ns: 1,
            detector: Detector::new(CONFIG, 1, 1),
        };
        let mut input = Unstructured::new(data);
        while !input.is_empty() && act(&mut input, region, &mut reader).is_ok() {}
        reader.look();
    });
}

fn act(input: &mut Unstructured<'_>, region: &Region, reader: &mut Reader<'_>) -> Result<()> {
    let control = region.shared.control;
    match input.arbitrary::<u8>()? % 12 {
        0..=3 => region.scribble(input)?,
        4 => {
            let mut keepalive = Keepalive::first(input.arbitrary()?, input.arbitrary()?);
            keepalive.sequence = input.arbitrary::<u8>()?.into();
            keepalive.progress[..4].copy_from_slice(&input.arbitrary::<[u64; 4]>()?);
            control.primary_keepalive.publish(&keepalive);
        }
        5 => {
            let mut text = EpitaphText::new(1, EpitaphCause::Panic, input.arbitrary()?);
            let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
            let _ = text.write_str(&String::from_utf8_lossy(input.bytes(length)?));
            control.epitaphs[Instance::ALL[input.arbitrary::<u8>()? as usize % Instance::COUNT]]
                .write(&text);
        }
        6 => {
            let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
            control.instance_logs[Instance::A].write(input.bytes(length)?);
        }
        7 => {
            control.mailbox.ask(Command::Load, input.arbitrary()?);
        }
        8 => {
            let number = input.arbitrary()?;
            control.mailbox.reply(number, Answer::Refused, "no");
            assert!(control.mailbox.answer(number).is_some());
        }
        9 => control.resume_slots[Instance::A].park(Ticket {
            page_table: input.arbitrary()?,
            entry: input.arbitrary()?,
            stack: input.arbitrary()?,
            apic_id: input.arbitrary()?,
        }),
        10 => {
            let [epoch, ns] = input.arbitrary::<[u64; 2]>()?;
            let timeline = control.timelines.of_epoch(epoch);
            timeline.begin(epoch, *input.choose(&Cause::ALL)?, input.arbitrary()?);
            timeline.stamp(*input.choose(&Edge::ALL)?, ns);
            timeline.count(*input.choose(&Counter::ALL)?, ns);
        }
        _ => {
            reader.now_ns += u64::from(input.arbitrary::<u32>()?) >> 4;
            reader.look();
        }
    }
    Ok(())
}

/// A kernel that reads what another one writes.
struct Reader<'r> {
    region: &'r Region,
    now_ns: u64,
    detector: Detector,
}

impl Reader<'_> {
    /// Reads everything.
    fn look(&mut self) {
        let control = self.region.shared.control;
        self.open();
        self.watch(control);
        for (_, epitaph) in control.epitaphs.iter() {
            if let Some(text) = epitaph.read() {
                assert!(text.message().len() <= 256);
            }
        }
        for number in 0..TIMELINES as u64 + 1 {
            let timeline = control.timelines.of_epoch(u64::MAX - number);
            let _ = (timeline.epoch(), timeline.cause(), timeline.core());
            for edge in Edge::ALL {
                assert!(timeline.edge_ns(edge).is_none_or(|ns| ns != 0));
                let _ = timeline.since_detection_us(edge);
            }
            for counter in Counter::ALL {
                let _ = timeline.counter(counter);
            }
        }
        read_mail(control);
        for (_, slot) in control.resume_slots.iter() {
            let _ = slot.ticket();
        }
        let _ = (control.protection.state(), control.epoch.current());
        let _ = control.backup.version.get().as_str().len();
        let _ = control.backup.last_loss();
        if let Some(suspect) = control.journal.applying.settle() {
            assert!(suspect.position.is_multiple_of(8) && (1..=7).contains(&suspect.deaths));
        }
        drain(&control.instance_logs[Instance::A]);
        drain(&control.monitor_log);
    }

    /// Checks that an opened region has the bytes that were asked for, and no more.
    fn open(&self) {
        for bytes in [
            0,
            CONTROL_BYTES as u64 - 8,
            CONTROL_BYTES as u64,
            REGION_BYTES,
        ] {
            if let Ok(opened) = self.region.open(bytes) {
                let header = &opened.control.header;
                assert_eq!(header.check(bytes), Ok(()));
                assert_eq!((CONTROL_BYTES + opened.journal.len() * 8) as u64, bytes);
            }
        }
    }

    /// Answers a keepalive, as the seat does with each interrupt.
    fn watch(&mut self, control: &Control) {
        for slot in [&control.primary_keepalive, &control.seat_keepalive] {
            let Some(keepalive) = slot.read() else {
                continue;
            };
            let unused = keepalive.progress.iter().skip(keepalive.cores as usize);
            assert!(unused.clone().all(|progress| *progress == 0));
            assert!(unused.count() <= MAX_CORES);
            self.detector.observe(
                self.now_ns,
                &Keepalive {
                    time_ns: 0,
                    sequence: keepalive.sequence,
                    epoch: keepalive.epoch,
                    cores: keepalive.cores,
                    progress: keepalive.progress,
                },
            );
        }
        let verdict = self.detector.verdict(self.now_ns);
        match self.detector.deadline_ns(self.now_ns) {
            None => assert!(matches!(verdict, Verdict::Red(_))),
            Some(deadline_ns) => {
                assert!(deadline_ns > self.now_ns, "a deadline that has passed");
                let then = self.detector.verdict(deadline_ns);
                assert!(severity(then) > severity(verdict), "{verdict:?}, {then:?}");
            }
        }
    }
}

fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Waiting | Verdict::Green => 0,
        Verdict::Yellow => 1,
        Verdict::Red(_) => 2,
    }
}

fn read_mail(control: &Control) {
    if let Some((number, _, arguments)) = control.mailbox.request() {
        assert_eq!(arguments.len(), ARGUMENTS);
        assert!(control.mailbox.answer(number).is_none());
    }
    for number in 0..4 {
        if let Some((_, text)) = control.mailbox.answer(number) {
            assert!(text.as_str().len() <= 256);
        }
    }
}

/// Checks that a drain ends, whatever the cursors say: it gives no more than the ring holds.
fn drain(ring: &LogRing) {
    let mut all = vec![0; 2 * LOG_BYTES];
    let tail = ring.copy_tail(&mut all);
    assert!(tail <= LOG_BYTES);
    let mut line = [0; 200];
    assert!(ring.drain_line(&mut line).0 <= line.len());
    let (mut buffer, mut drained) = ([0; 1000], 0);
    loop {
        let (taken, lost) = ring.drain(&mut buffer);
        assert!(taken <= buffer.len() && (drained == 0 || lost == 0));
        drained += taken;
        assert!(drained <= LOG_BYTES);
        if taken == 0 {
            break;
        }
    }
    assert!(ring.is_drained());
}
