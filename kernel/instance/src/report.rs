//! Reports to people and tools: stamps of the timeline, machine-readable log lines, the incident record.

use alloc::format;
use alloc::string::String;
use core::sync::atomic::Ordering;

use journal::RecoverySummary;
use network::RebuildReport;
use partition::cmdline::Rearm;
use sharedmem::cause::Cause;
use sharedmem::epitaph::{EpitaphCause, EpitaphText};
use sharedmem::timeline::Timeline;
use sharedmem::timeline::{Counter, Edge};

use crate::context::Context;
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
        log::info!(
            "event=first-reply epoch={epoch} ns={}",
            timeline.edge_ns(Edge::FirstReply).unwrap_or(0)
        );
    }
}

/// Logs that all connections of the predecessor have their sockets.
pub fn sockets_rebuilt(epoch: u64, report: RebuildReport) {
    let RebuildReport {
        connections,
        made,
        took_ns,
    } = report;
    log::info!(
        "event=restored epoch={epoch} connections={connections} made={made} took_ns={took_ns}"
    );
}

/// Logs a reply to the console's connection.
pub fn console_reply(context: &Context, bytes: &[u8]) {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(256)])
        .replace("\r\n", " ")
        .replace('"', "'");
    log::info!("event=exec-reply text=\"{}\"", text.trim_end());
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
    log::info!(
        "event=serving instance={} epoch={epoch} cores={} port={}",
        context.instance(),
        context.hand_off.core_count,
        context.port()
    );
    for finding in &recovery.findings {
        log::warn!("event=finding what=\"{finding}\"");
    }
    let timeline = context.region.control.timelines.of_epoch(epoch);
    if timeline.epoch() != epoch {
        return;
    }
    let epitaph = log_epitaph(context, epitaph);
    let summary = summary(context, recovery, timeline);
    log::warn!("{summary}");
    let rearm = match context.options.failover_rearm {
        Rearm::Auto => "auto",
        Rearm::Manual => "manual",
    };
    log::warn!("this machine is unprotected until a new backup is loaded (failover_rearm={rearm})");
    let recorded = disk.map_or(Ok(()), |disk| {
        disk.append(&format!("{summary}\n{epitaph}\n"))
    });
    if let Err(reason) = recorded {
        log::warn!("no record on the incident disk: {reason}");
    }
}

/// Returns the machine-readable line about a takeover.
fn summary(context: &Context, recovery: &RecoverySummary, timeline: &Timeline) -> String {
    let ns = |edge: Edge| timeline.edge_ns(edge).unwrap_or(0);
    format!(
        "event=takeover epoch={} cause={} core={} fence_rounds={} records={} findings={} \
             cause_ns={} last_keepalive_ns={} detected_ns={} fenced_ns={} interrupts_ns={} quiet_ns={} \
             devices_ns={} replayed_ns={} serving_ns={}",
        timeline.epoch(),
        timeline.cause().map_or("unknown", Cause::name),
        timeline.core().unwrap_or(0),
        timeline.counter(Counter::FenceRounds),
        recovery.records,
        recovery.finding_count,
        context
            .region
            .control
            .debug
            .injected_ns
            .load(Ordering::Relaxed),
        ns(Edge::LastKeepalive),
        ns(Edge::Detected),
        ns(Edge::Fenced),
        ns(Edge::InterruptsSeized),
        ns(Edge::DevicesQuiet),
        ns(Edge::DevicesAdopted),
        ns(Edge::Replayed),
        ns(Edge::Serving),
    )
}

/// Returns the epitaph that the primary of the epoch before `epoch` left. An epitaph of any other epoch is older, and
/// of no interest.
pub fn predecessors_epitaph(context: &Context, epoch: u64) -> Option<EpitaphText> {
    let epitaph = context.region.control.epitaphs[context.instance().other()].read()?;
    (epitaph.epoch.checked_add(1) == Some(epoch)).then_some(epitaph)
}

/// Logs the epitaph of the dead primary, and returns the line.
fn log_epitaph(context: &Context, epitaph: Option<&EpitaphText>) -> String {
    let Some(text) = epitaph else {
        return String::from("no epitaph was left");
    };
    let cause = text.cause.map_or("unknown", EpitaphCause::name);
    let line = format!(
        "event=epitaph instance={} cause={cause} core={} vector={} error_code={:#x} address={:#x} \
         rip={:#x} rsp={:#x} ns={} message=\"{}\"",
        context.instance().other(),
        text.core,
        text.vector,
        text.error_code,
        text.address,
        text.rip,
        text.rsp,
        text.time_ns,
        text.message().replace('"', "'").replace('\n', " "),
    );
    log::warn!("{line}");
    line
}
