//! Reports to people and tools: stamps of the timeline, machine-readable log lines, the incident record.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::Ordering;

use journal::RecoverySummary;
use network::RebuildReport;
use partition::cmdline::Rearm;
use sharedmem::epitaph::EpitaphText;
use sharedmem::event::{self, Counters, EdgeTimes, Hex, TEXT_BYTES_MAX};
use sharedmem::timeline::{Edge, Timeline};

use crate::context::Context;
use crate::debug::trial;
use crate::devices::disk::IncidentDisk;

/// Stamps an edge of the takeover that led to `epoch`. An edge keeps its first stamp.
pub fn stamp(context: &Context, epoch: u64, edge: Edge) {
    let timeline = context.region.control.timelines.of_epoch(epoch);
    if timeline.epoch() == epoch {
        timeline.stamp(edge, context.now_ns());
    }
}

/// Stamps and logs the first reply of `epoch`. Later calls do nothing.
pub fn first_reply(context: &Context, epoch: u64) {
    let timeline = context.region.control.timelines.of_epoch(epoch);
    if timeline.epoch() == epoch && timeline.edge_ns(Edge::FirstReply).is_none() {
        stamp(context, epoch, Edge::FirstReply);
        let at_ns = timeline.edge_ns(Edge::FirstReply).unwrap_or(0);
        log::info!("{}", event::FirstReply { epoch, at_ns });
    }
}

/// Logs that all connections of the predecessor have their sockets.
pub fn sockets_rebuilt(epoch: u64, report: RebuildReport) {
    let RebuildReport {
        connections,
        made,
        took_ns,
    } = report;
    let restored = event::Restored {
        epoch,
        connections: connections as u64,
        made: made as u64,
        took_ns,
    };
    log::info!("{restored}");
}

/// Logs a reply to the console's connection.
pub fn console_reply(context: &Context, bytes: &[u8]) {
    if trial::note_reply(context, bytes) {
        return;
    }
    // More would be cut off.
    let bytes = &bytes[..bytes.len().min(TEXT_BYTES_MAX + 1)];
    let text = String::from_utf8_lossy(bytes).replace("\r\n", " ");
    let text = text.trim_end().into();
    log::info!("{}", event::ExecReply { text });
    first_reply(context, crate::epoch::own());
}

/// Reports that this instance serves, and the takeover that led to it, to the log and to the incident disk. `recovery`
/// is what it found in the journal, `epitaph` what the dead primary left.
pub fn serving(
    context: &Context,
    epoch: u64,
    recovery: &RecoverySummary,
    epitaph: Option<&EpitaphText>,
    disk: Option<&mut IncidentDisk>,
) {
    let serving = event::Serving {
        instance: context.instance(),
        epoch,
        cores: Some(context.hand_off.core_count),
        port: Some(context.port()),
    };
    log::info!("{serving}");
    let timeline = context.region.control.timelines.of_epoch(epoch);
    if timeline.epoch() != epoch {
        return;
    }
    let takeover = takeover(context, recovery, timeline);
    log::warn!("{takeover}");
    let mut record = format!("{takeover}\n");
    if let Some(epitaph) = epitaph.map(|text| epitaph_found(context, text)) {
        log::warn!("{epitaph}");
        let _ = writeln!(record, "{epitaph}");
    }
    let rearm = match context.options.failover_rearm {
        Rearm::Auto => "auto",
        Rearm::Manual => "manual",
    };
    log::warn!("this machine is unprotected until a new backup is loaded (failover_rearm={rearm})");
    let recorded = disk.map_or(Ok(()), |disk| disk.append(&record));
    if let Err(reason) = recorded {
        log::warn!("no record on the incident disk: {reason}");
    }
}

/// Returns what there is to say about a takeover.
fn takeover(context: &Context, recovery: &RecoverySummary, timeline: &Timeline) -> event::Takeover {
    let injected_ns = &context.region.control.debug.injected_ns;
    event::Takeover {
        epoch: timeline.epoch(),
        cause: timeline.cause(),
        core: timeline.core(),
        counters: Counters::of(timeline),
        records: recovery.records,
        findings: recovery.finding_count,
        fault_ns: injected_ns.load(Ordering::Relaxed),
        edges: EdgeTimes::of(timeline),
    }
}

/// Returns the epitaph that the primary of the epoch before `epoch` left. An epitaph of any other epoch is older, and
/// of no interest.
pub fn predecessors_epitaph(context: &Context, epoch: u64) -> Option<EpitaphText> {
    let epitaph = context.region.control.epitaphs[context.instance().other()].read()?;
    (epitaph.epoch.checked_add(1) == Some(epoch)).then_some(epitaph)
}

/// Returns what there is to say about the epitaph of the dead primary.
fn epitaph_found(context: &Context, text: &EpitaphText) -> event::EpitaphFound {
    event::EpitaphFound {
        instance: context.instance().other(),
        cause: text.cause,
        core: text.core,
        vector: text.vector,
        error_code: Hex(text.error_code),
        address: Hex(text.address),
        rip: Hex(text.rip),
        rsp: Hex(text.rsp),
        at_ns: text.time_ns,
        message: text.message().into(),
    }
}
