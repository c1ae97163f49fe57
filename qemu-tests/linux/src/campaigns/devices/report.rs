//! What became of the devices: rows, verdict, table.

use std::fmt;

use serde_json::{Value, json};

use super::Device;
use linux_kit::devices::Behind;

/// What became of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub(super) device: Device,
    pub(super) has_iommu: bool,
    /// How it came back, or why it did not.
    pub(super) outcome: Result<CameBack, String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CameBack {
    /// How long a client of the device waited: for a reply by the card, for an acknowledgement by the disk.
    pub(super) silence_ms: u64,
    /// Files of which something is gone that was on the disk.
    pub(super) files_lost: u64,
}

impl Row {
    fn is_good(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|it| it.files_lost == 0)
    }

    /// Formats it for tools. A device that did not come back has its reason.
    fn json(&self) -> Value {
        let came_back = self.outcome.as_ref().ok();
        let mut row = json!({
            "device": self.device.name(),
            "behind": self.device.behind.name(),
            "iommu": self.has_iommu,
            "comes_back": came_back.is_some(),
            "ms": came_back.map(|it| it.silence_ms),
            "files_lost": came_back.map(|it| it.files_lost),
        });
        if let Err(why) = &self.outcome {
            row["why"] = json!(why);
        }
        row
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<15} {:<9} {:<8}: ",
            self.device.name(),
            self.device.behind.name(),
            if self.has_iommu { "IOMMU" } else { "no IOMMU" }
        )?;
        match &self.outcome {
            Ok(it) if it.files_lost == 0 => write!(f, "comes back in {} ms", it.silence_ms),
            Ok(it) => write!(f, "FILES LOST: {}", it.files_lost),
            Err(why) => write!(f, "DOES NOT COME BACK: {why}"),
        }
    }
}

/// Tells whether every device came back, with all files.
pub fn is_passed(rows: &[Row]) -> bool {
    !rows.is_empty() && rows.iter().all(Row::is_good)
}

/// Formats the outcome for tools.
pub fn json(rows: &[Row]) -> Value {
    json!({
        "verdict": if is_passed(rows) { "pass" } else { "fail" },
        "rows": rows.iter().map(Row::json).collect::<Vec<Value>>(),
    })
}

/// Formats the outcome as the table of `docs/linux.md`: a line for each device, a column for each place.
pub fn table(rows: &[Row]) -> String {
    let places = Behind::ALL.map(|behind| (behind, false));
    let columns = [places, Behind::ALL.map(|behind| (behind, true))].concat();
    let mut text = String::from("| device |");
    for (behind, has_iommu) in &columns {
        let iommu = if *has_iommu { ", IOMMU" } else { "" };
        text += &format!(" {}{iommu} |", behind.name());
    }
    text += &format!("\n|---|{}\n", "---|".repeat(columns.len()));
    let mut devices: Vec<String> = Vec::new();
    for row in rows {
        let name = row.device.name();
        if !devices.contains(&name) {
            devices.push(name);
        }
    }
    for device in devices {
        text += &format!("| {device} |");
        for column in &columns {
            let is_it = |row: &&Row| {
                row.device.name() == device && (row.device.behind, row.has_iommu) == *column
            };
            text += &rows.iter().find(is_it).map_or(" |".into(), cell);
        }
        text += "\n";
    }
    text
}

fn cell(row: &Row) -> String {
    match &row.outcome {
        Ok(it) if it.files_lost == 0 => format!(" {} |", it.silence_ms),
        Ok(_) => " **lost** |".into(),
        Err(_) => " **no** |".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::few;
    use super::*;

    fn row(index: usize, outcome: Result<(u64, u64), &str>) -> Row {
        let came_back = |(silence_ms, files_lost)| CameBack {
            silence_ms,
            files_lost,
        };
        Row {
            device: few()[0].devices[index],
            has_iommu: false,
            outcome: outcome.map(came_back).map_err(String::from),
        }
    }

    #[test]
    fn the_verdict_needs_every_device_with_every_file() {
        let good = row(0, Ok((812, 0)));
        assert!(is_passed(std::slice::from_ref(&good)));
        assert!(!is_passed(&[]));
        for bad in [row(1, Ok((1, 1))), row(1, Err("no reply"))] {
            assert!(!is_passed(&[good.clone(), bad]));
        }
    }

    #[test]
    fn the_outcome_is_told_as_promised() {
        let rows = [row(1, Ok((812, 0))), row(4, Err("no reply"))];
        assert_eq!(
            json(&rows),
            json!({"verdict": "fail", "rows": [
                {"device": "igb", "behind": "bridge", "iommu": false, "comes_back": true, "ms": 812,
                 "files_lost": 0},
                {"device": "2 x nvme", "behind": "root port", "iommu": false, "comes_back": false,
                 "ms": null, "files_lost": null, "why": "no reply"},
            ]})
        );
        let line = "igb             bridge    no IOMMU: comes back in 812 ms";
        assert_eq!(rows[0].to_string(), line);
        let table = table(&rows);
        assert!(table.contains("| igb | | | 812 | | | |\n"), "{table}");
        assert!(
            table.contains("| 2 x nvme | | **no** | | | | |\n"),
            "{table}"
        );
    }
}
