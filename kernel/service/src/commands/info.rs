//! `INFO`.

use super::client::REDIS_VERSION;
use super::{Context, Failover};
use crate::connection::Connection;
use crate::status::{HostStatus, TakeoverTimes};
use crate::subscriptions::Topic;
use alloc::format;
use alloc::string::String;
use core::fmt::{Display, Write};
use key_commands::{Outcome, is};
use resp::Arguments;

use sharedmem::Role;
use sharedmem::cause::{BackupLoss, Cause, StateFault};
use sharedmem::mailbox::Answer;
use sharedmem::timeline::Phase;

/// Writes the lines of a section.
type Section = fn(&mut Lines, &Context<'_, '_>, &HostStatus);

const SECTIONS: [(&str, Section); 7] = [
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Stats", stats),
    ("Replication", replication),
    ("Keyspace", keyspace),
    ("Understudy", understudy),
];

pub(super) fn info(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let status = context.status;
    let mut wanted = [arguments.len() == 1; SECTIONS.len()];
    let mut words = arguments.from(1);
    while let Some(word) = words.next(context.out) {
        let is_all = ["default", "all", "everything"]
            .iter()
            .any(|all| is(word, all));
        for (is_wanted, (name, _)) in wanted.iter_mut().zip(SECTIONS) {
            *is_wanted |= is_all || is(word, name);
        }
    }
    let mut lines = Lines(String::new());
    for (is_wanted, (name, section)) in wanted.into_iter().zip(SECTIONS) {
        if is_wanted {
            lines.title(name);
            section(&mut lines, context, status);
        }
    }
    context.out.verbatim(&lines.0);
    Ok(())
}

struct Lines(String);

impl Lines {
    fn title(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        // Writing to a string cannot fail, here and below.
        let _ = write!(self.0, "# {name}\r\n");
    }

    fn field(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.0, "{name}:{value}\r\n");
    }
}

fn server(lines: &mut Lines, context: &Context<'_, '_>, status: &HostStatus) {
    let uptime_s = status.uptime_ms / 1000;
    lines.field("redis_version", REDIS_VERSION);
    lines.field("redis_mode", "standalone");
    lines.field("os", "Understudy");
    lines.field("arch_bits", 64);
    lines.field("tcp_port", status.port);
    lines.field(
        "server_time_usec",
        context.keyspace.now_ms().saturating_mul(1000),
    );
    lines.field("uptime_in_seconds", uptime_s);
    lines.field("uptime_in_days", uptime_s / (24 * 3600));
}

fn clients(lines: &mut Lines, context: &Context<'_, '_>, _: &HostStatus) {
    lines.field("connected_clients", context.connections.len());
    lines.field("maxclients", context.limits.max_clients);
    let blocked = |client: &&Connection| client.blocked.is_some();
    lines.field(
        "blocked_clients",
        context.connections.values().filter(blocked).count(),
    );
}

/// Writes what the service counts, and as the resident set what the whole kernel has taken from its heap.
fn memory(lines: &mut Lines, context: &Context<'_, '_>, status: &HostStatus) {
    let (used, max) = (
        context.keyspace.used_bytes(),
        context.limits.max_memory_bytes,
    );
    lines.field("used_memory", used);
    lines.field("used_memory_human", human(used));
    lines.field("used_memory_rss", status.heap_bytes);
    lines.field("used_memory_rss_human", human(status.heap_bytes));
    lines.field("maxmemory", max);
    lines.field("maxmemory_human", human(max));
    lines.field("maxmemory_policy", "noeviction");
}

fn stats(lines: &mut Lines, context: &Context<'_, '_>, _: &HostStatus) {
    let statistics = &*context.statistics;
    lines.field(
        "total_connections_received",
        statistics.connections_received,
    );
    lines.field("total_commands_processed", statistics.commands_processed);
    lines.field("rejected_connections", statistics.connections_rejected);
    lines.field("expired_keys", context.keyspace.expired());
    let topics = |topic| context.subscribers.all(topic).count();
    lines.field("pubsub_channels", topics(Topic::Channel));
    lines.field("pubsub_patterns", topics(Topic::Pattern));
}

/// Writes Redis' fields, without a replica: no client can connect to the backup. Then writes the fields about the
/// backup.
fn replication(lines: &mut Lines, context: &Context<'_, '_>, status: &HostStatus) {
    let now_ms = context.keyspace.now_ms();
    let is_due = |failover: &Failover| failover.is_due(status.epoch, now_ms);
    let failover_state = match &*context.failover {
        Some(failover) if is_due(failover) => "waiting-for-sync",
        _ => "no-failover",
    };
    lines.field("role", "master");
    lines.field("connected_slaves", 0);
    lines.field("master_failover_state", failover_state);
    lines.field("master_repl_offset", status.journal_position);
    protection(lines, status);
}

/// Writes whether a backup would take over, from where, and how the last takeover went.
fn protection(lines: &mut Lines, status: &HostStatus) {
    lines.field("epoch", status.epoch);
    lines.field("protected", u8::from(status.obstacles.is_none()));
    lines.field("unprotected_reasons", status.obstacles.names());
    if let Some(age_us) = status.keepalive_age_us {
        lines.field("backup_keepalive_age_us", age_us);
    }
    lines.field("journal_position", status.journal_position);
    lines.field("journal_lag_bytes", status.journal_lag_bytes);
    lines.field("takeovers", status.takeovers);
    lines.field("version", status.version);
    lines.field("backup_version", status.backup_version);
    lines.field("backup_losses", status.backup_losses);
    lines.field(
        "last_backup_loss",
        status.last_backup_loss.map_or("", BackupLoss::name),
    );
    lines.field(
        "primary_state",
        status.state_fault.map_or("sound", StateFault::name),
    );
    lines.field("primary_state_faults", status.state_faults);
    lines.field("operator_requests", status.operator_requests);
    lines.field(
        "operator_answer",
        status.operator_answer.map_or("", Answer::name),
    );
    lines.field("operator_reason", status.operator_reason);
    if let Some(takeover) = &status.last_takeover {
        last_takeover(lines, takeover);
    }
}

fn last_takeover(lines: &mut Lines, takeover: &TakeoverTimes) {
    lines.field(
        "last_takeover_cause",
        takeover.cause.map_or("unknown", Cause::name),
    );
    for (phase, duration_us) in Phase::ALL.into_iter().zip(takeover.phases_us) {
        if let Some(duration_us) = duration_us {
            let phase = phase.name().replace('-', "_");
            lines.field(&format!("last_takeover_{phase}_us"), duration_us);
        }
    }
}

fn keyspace(lines: &mut Lines, context: &Context<'_, '_>, _: &HostStatus) {
    for (database, table) in context.keyspace.tables().enumerate() {
        let keys = table.len();
        if keys > 0 {
            let expires = context.keyspace.deadlines_in(database);
            let counts = format!("keys={keys},expires={expires},avg_ttl=0");
            lines.field(&format!("db{database}"), counts);
        }
    }
}

fn understudy(lines: &mut Lines, _: &Context<'_, '_>, status: &HostStatus) {
    let role = match status.is_backup {
        false => Role::Primary,
        true => Role::Backup,
    };
    lines.field("understudy_version", status.version);
    lines.field("understudy_role", role.name());
    lines.field("cores", status.cores);
}

/// Formats a size as Redis' `bytesToHuman` does.
fn human(bytes: u64) -> String {
    const UNITS: [(u64, char); 4] = [
        (1 << 40, 'T'),
        (1 << 30, 'G'),
        (1 << 20, 'M'),
        (1 << 10, 'K'),
    ];
    for (unit_bytes, letter) in UNITS {
        if bytes >= unit_bytes {
            return format!("{:.2}{letter}", bytes as f64 / unit_bytes as f64);
        }
    }
    format!("{bytes}B")
}
