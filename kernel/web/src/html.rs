//! The page for people. It contains no script, and nothing on it is fetched from elsewhere.

use alloc::string::String;
use core::fmt::{self, Display, Write};

use journal::RecentRecords;

use crate::dead_primary::{DeadPrimary, cause_of, message_of};
use crate::status::{JournalStatus, PrimaryStatus};
use crate::takeover::TakeoverStatus;
use crate::text::Escaped;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
th{text-align:left;font-weight:normal;color:#666;padding-right:2em;vertical-align:top}\
td.number{text-align:right}pre{background:#f4f4f4;padding:1em;overflow:auto}";

/// Returns the whole page.
pub(crate) fn page(status: &PrimaryStatus, records: &RecentRecords) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut out, status, records);
    out
}

fn write_page(out: &mut String, status: &PrimaryStatus, records: &RecentRecords) -> fmt::Result {
    let headline = headline(status);
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Understudy: {headline}</title>\
         <style>{STYLE}</style></head>\n<body><h1>{headline}</h1>\n<p>{}</p>\n",
        match status.obstacles.is_none() {
            true => "A backup protects this machine.",
            false => "<strong>No backup protects this machine.</strong>",
        }
    )?;
    if let Some(fault) = status.state_fault {
        writeln!(
            out,
            "<p><strong>The state of this primary is not what it should be: {fault}.</strong></p>"
        )?;
    }
    if let Some(takeover) = &status.takeover {
        write_takeover(out, takeover)?;
    }
    if let Some(dead) = &status.dead {
        write_dead(out, dead)?;
    }
    write_journal(out, &status.journal, records)?;
    write_machine(out, status)?;
    out.write_str(
        "<p>The same for programs: <a href=\"/status.json\">/status.json</a>, <a href=\"/metrics\">/metrics</a></p>\n\
         </body></html>\n",
    )
}

fn headline(status: &PrimaryStatus) -> String {
    let mut line = String::new();
    let _ = match (&status.dead, &status.takeover) {
        (Some(dead), Some(takeover)) => write!(
            line,
            "Instance {} took over from instance {}: {}",
            status.instance,
            dead.instance,
            takeover.cause_name()
        ),
        _ => write!(line, "Instance {} is the primary", status.instance),
    };
    line
}

fn row(out: &mut String, name: &str, value: impl Display) -> fmt::Result {
    writeln!(out, "<tr><th>{name}</th><td>{}</td></tr>", Escaped(value))
}

fn write_takeover(out: &mut String, takeover: &TakeoverStatus) -> fmt::Result {
    out.write_str("<h2>The takeover</h2>\n<table>\n")?;
    row(
        out,
        "cause",
        format_args!("{}: {}", takeover.cause_name(), takeover.reason()),
    )?;
    if let Some(core) = takeover.core {
        row(out, "failed core", core)?;
    }
    row(out, "new epoch", takeover.epoch)?;
    row(out, "rounds of the fence", takeover.fence_rounds)?;
    row(out, "records replayed", takeover.recovered.records)?;
    row(
        out,
        "damage found in the journal",
        takeover.recovered.finding_count,
    )?;
    for finding in &takeover.recovered.findings {
        row(out, "", finding)?;
    }
    out.write_str("</table>\n<table>\n")?;
    for (edge, us) in &takeover.edges_us {
        let name = edge.name().replace('-', " ");
        let ms = *us as f64 / 1000.0;
        writeln!(
            out,
            "<tr><th>{name}</th><td class=\"number\">{ms:.3} ms</td></tr>"
        )?;
    }
    out.write_str("</table>\n")
}

fn write_dead(out: &mut String, dead: &DeadPrimary) -> fmt::Result {
    writeln!(out, "<h2>The primary that died</h2>\n<table>")?;
    row(
        out,
        "instance",
        format_args!("{}, from {}", dead.instance, dead.image),
    )?;
    match &dead.epitaph {
        None => row(out, "epitaph", "none")?,
        Some(epitaph) => {
            row(
                out,
                "epitaph",
                format_args!("{}: {}", cause_of(epitaph), message_of(epitaph)),
            )?;
            row(out, "epoch", epitaph.epoch)?;
            let seconds = epitaph.time_ns as f64 / 1e9;
            row(
                out,
                "when",
                format_args!("{seconds:.6} s after the machine's boot"),
            )?;
            row(out, "failed core", epitaph.core)?;
            if epitaph.rip != 0 {
                row(
                    out,
                    "registers",
                    format_args!(
                        "vector {}, error code {:#x}, address {:#x}, rip {:#x}, rsp {:#x}",
                        epitaph.vector,
                        epitaph.error_code,
                        epitaph.address,
                        epitaph.rip,
                        epitaph.rsp
                    ),
                )?;
            }
        }
    }
    out.write_str("</table>\n")?;
    if dead.log.is_empty() {
        return out.write_str("<p>It left no log.</p>\n");
    }
    out.write_str("<p>The end of its log:</p>\n<pre>")?;
    for line in &dead.log {
        writeln!(out, "{}", Escaped(line))?;
    }
    out.write_str("</pre>\n")
}

fn write_journal(
    out: &mut String,
    journal: &JournalStatus,
    records: &RecentRecords,
) -> fmt::Result {
    out.write_str("<h2>The journal</h2>\n<table>\n")?;
    row(out, "reserved", journal.reserved)?;
    row(out, "applied", journal.applied)?;
    row(out, "consumed", journal.consumed)?;
    row(
        out,
        "size",
        format_args!("{} KiB", journal.capacity_bytes / 1024),
    )?;
    row(out, "records of programs", records.len())?;
    if records.dropped() != 0 {
        row(out, "older records, dropped", records.dropped())?;
    }
    out.write_str(
        "</table>\n<p>Records of programs: <a href=\"/journal\">/journal</a>; raw: \
         <a href=\"/journal?raw\">/journal?raw</a></p>\n",
    )
}

fn write_machine(out: &mut String, status: &PrimaryStatus) -> fmt::Result {
    out.write_str("<h2>This machine</h2>\n<table>\n")?;
    row(
        out,
        "primary",
        format_args!(
            "instance {}, version {}, {} cores",
            status.instance, status.version, status.cores
        ),
    )?;
    row(out, "epoch", status.epoch)?;
    match status.obstacles.is_none() {
        true => row(out, "protection", "a backup waits"),
        false => row(out, "protection", status.obstacles.texts()),
    }?;
    row(out, "up for", format_args!("{} s", status.uptime_ms / 1000))?;
    row(
        out,
        "service",
        format_args!("RESP2, port {}", status.service_port),
    )?;
    out.write_str("</table>\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::{after, first};

    #[test]
    fn people_are_told_who_died_and_why() {
        let page = page(
            &after("Fatal exception in interrupt", b"last words\n"),
            &RecentRecords::default(),
        );
        for text in [
            "<title>Understudy: Instance b took over from instance a: panic</title>",
            "panic: it left an epitaph",
            "panic: Fatal exception in interrupt",
            "9.876543 s after",
            "<th>fenced</th><td class=\"number\">1.500 ms</td>",
            "from /boot/vmlinuz-a",
            "last words\n",
            "No backup protects",
            "torn tail",
        ] {
            assert!(page.contains(text), "{text} in {page}");
        }
    }

    #[test]
    fn the_first_primary_has_a_page_too() {
        let page = page(&first(), &RecentRecords::default());
        assert!(page.contains("<h1>Instance a is the primary</h1>"));
        assert!(page.contains("A backup protects") && !page.contains("died"));
    }

    #[test]
    fn what_a_dead_kernel_left_is_no_markup() {
        let evil = "<script>alert(1)</script>";
        let page = page(&after(evil, evil.as_bytes()), &RecentRecords::default());
        assert!(
            !page.contains("<script") && page.matches("&lt;script&gt;").count() == 2,
            "{page}"
        );
    }
}
