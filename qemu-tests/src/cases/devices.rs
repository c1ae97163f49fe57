//! PCI functions: many of them, on several root buses, and some that are taken away.

use std::time::Duration;

use serde_json::{Value, json};
use sharedmem::cause::Cause;
use sharedmem::event::{FunctionFault, Plan};

use super::survival::die_and_check;
use crate::suite::{Test, TestContext, Verdict};
use harness::machine::{Chipset, QemuMachine};
use harness::problem::{Problem, require, require_equal};

pub(super) fn tests() -> Vec<Test> {
    let mut many = Test::new(
        "functions-300",
        "a machine with some 320 PCI functions, behind ports and a switch and on two more root buses: all are made \
         quiet, and a takeover loses nothing",
        "debug=1",
        many,
    );
    many.machine.devices = many_functions();
    many.machine.memory = "1G".into();
    many.limit = Duration::from_secs(240);
    let mut behind_port = Test::new(
        "function-gone-port",
        "a function behind a root port is taken away, and then the primary panics: it is named and cut off at the \
         port, and the takeover goes on",
        "debug=1",
        |context| gone(context, &Q35, Some("0000:00:10.0")),
    );
    behind_port.machine.devices = [
        "pcie-root-port,id=rp,chassis=1,slot=1,addr=0x10",
        "virtio-rng-pci,id=victim,bus=rp",
    ]
    .map(String::from)
    .into();
    let mut on_root = Test::new(
        "function-gone-root",
        "a function on the root bus is taken away, and then the primary panics: it is named, and the takeover goes on",
        "debug=1",
        |context| gone(context, &PC, None),
    );
    on_root.machine.chipset = Chipset::Pc;
    on_root.machine.devices = vec!["virtio-rng-pci,id=victim,addr=0x10,disable-modern=on".into()];
    vec![many, behind_port, on_root]
}

/// Describes 36 root ports, 6 of them on root buses of their own, with 8 functions behind each, and a switch with a
/// function behind each of its two ports.
fn many_functions() -> Vec<String> {
    let mut devices: Vec<String> = [
        "pxb-pcie,id=pxb1,bus_nr=0x60,bus=pcie.0,addr=0x18",
        "pxb-pcie,id=pxb2,bus_nr=0x80,bus=pcie.0,addr=0x19",
    ]
    .map(String::from)
    .into();
    for port in 0..36_u32 {
        let (bus, index) = match port {
            0..30 => ("pcie.0", port),
            30..33 => ("pxb1", port - 30),
            _ => ("pxb2", port - 33),
        };
        let (slot, function) = (0x10 + index / 8, index % 8);
        devices.push(format!(
            "pcie-root-port,id=rp{port},bus={bus},chassis={},addr={slot:#x}.{function},multifunction=on,io-reserve=0",
            port + 1
        ));
        devices.extend((0..8).map(|function| {
            format!("virtio-rng-pci,bus=rp{port},addr=0.{function},multifunction=on")
        }));
    }
    devices.push("pcie-root-port,id=above,chassis=99,addr=0x15,io-reserve=0".into());
    devices.push("x3130-upstream,id=up,bus=above".into());
    for port in 0..2 {
        let chassis = 100 + port;
        devices.push(format!(
            "xio3130-downstream,id=down{port},bus=up,chassis={chassis}"
        ));
        devices.push(format!("virtio-rng-pci,bus=down{port}"));
    }
    devices
}

/// More than this are tried.
const MANY: u64 = 320;

fn many(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let there = count_functions(&machine.control()?.execute("query-pci", json!({}))?);
    require(there > MANY, || format!("QEMU made {there} functions"))?;
    let found: Plan = machine.wait_event()?;
    require_equal("functions found", u64::from(found.functions), there)?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    let faults = machine.console().events::<FunctionFault>();
    require_equal("functions at fault", faults.len(), 0)?;
    machine.closing_word()
}

/// Counts the functions in QEMU's list of buses, with those behind bridges.
fn count_functions(buses: &Value) -> u64 {
    let buses = buses.as_array().into_iter().flatten();
    let devices = buses.flat_map(|bus| bus["devices"].as_array().into_iter().flatten());
    devices
        .map(|device| {
            let behind = device["pci_bridge"]["devices"].clone();
            1 + count_functions(&json!([{ "devices": behind }]))
        })
        .sum()
}

/// Where a chipset's registers for hot-plug by ACPI are: the one that selects a bus, and the one that ejects.
struct Ejection {
    select: u16,
    eject: u16,
    slot: u32,
}

const Q35: Ejection = Ejection {
    select: 0xcd0,
    eject: 0xcc8,
    slot: 0,
};
const PC: Ejection = Ejection {
    select: 0xae10,
    eject: 0xae08,
    slot: 0x10,
};

fn gone(context: &TestContext<'_>, ejection: &Ejection, cut_at: Option<&str>) -> Verdict {
    let machine = context.boot()?;
    take_away(&machine, ejection)?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    let fault = machine.wait_event::<FunctionFault>()?;
    require_equal("the fault", fault.fault.as_str(), "silent")?;
    require_equal(
        "where it is cut off",
        fault.cut_at.as_ref().map(|it| it.as_str()),
        cut_at,
    )?;
    require_equal("whether it is contained", fault.contained, true)?;
    let faults = machine.console().events::<FunctionFault>();
    require_equal("functions at fault", faults.len(), 1)?;
    machine.closing_word()
}

/// Takes the function away, as an operating system does that was asked to: instances know nothing of hot-plug.
fn take_away(machine: &QemuMachine, ejection: &Ejection) -> Result<(), Problem> {
    let mut control = machine.control()?;
    control.execute("device_del", json!({ "id": "victim" }))?;
    for bus in 0..4_u32 {
        for (port, value) in [(ejection.select, bus), (ejection.eject, 1 << ejection.slot)] {
            let line = format!("o /w {port:#x} {value:#x}");
            control.execute("human-monitor-command", json!({ "command-line": line }))?;
        }
        let left = control.execute("qom-list", json!({ "path": "/machine/peripheral" }))?;
        if !left.to_string().contains("victim") {
            return Ok(());
        }
    }
    Err(Problem::Failed("the function stays where it is".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_behind_bridges_are_counted() {
        let behind = json!({ "bus": {}, "devices": [{ "slot": 0 }, { "slot": 0 }] });
        let buses = json!([
            { "bus": 0, "devices": [{ "slot": 0 }, { "slot": 1, "pci_bridge": behind }] },
            { "bus": 96, "devices": [{ "slot": 0, "pci_bridge": { "bus": {} } }] },
        ]);
        assert_eq!(count_functions(&buses), 5);
        assert_eq!(count_functions(&json!([])), 0);
    }
}
