//! Who gets which CPUs.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use sharedmem::MAX_CORES;

use super::{Cpu, Machine, compute};
use crate::cmdline::{ApicMode, Options};
use crate::cpu_list::CpuList;
use crate::refusal::Refusal;

/// Ids from here on cannot be addressed in xAPIC mode: a destination has 8 bits there, and 255 is a broadcast (Intel
/// SDM vol. 3A, 11.6.1).
const XAPIC_IDS: u32 = 255;

/// The CPUs, divided.
pub(super) struct Cores {
    pub seat: Cpu,
    pub primary: Vec<Cpu>,
    pub backup: Vec<Cpu>,
    pub compute: Vec<Vec<Cpu>>,
    pub parked: Vec<Cpu>,
    pub silent: Vec<Cpu>,
}

pub(super) fn share(options: &Options, machine: &Machine) -> Result<Cores, Refusal> {
    let mut cpus: Vec<Cpu> = (0..)
        .zip(&machine.cpus)
        .map(|(number, apic_id)| Cpu {
            number,
            apic_id: *apic_id,
        })
        .collect();
    let parked = cpus.split_off(cpus.len().min(MAX_CORES));
    check_mode(options, &cpus)?;
    let is_silent = |cpu: &Cpu| machine.silent.contains(&cpu.number);
    let (silent, mut cpus): (Vec<Cpu>, Vec<Cpu>) = cpus.into_iter().partition(is_silent);
    check_list(options, &cpus, machine.cpus.len())?;
    // `check_list` refused every machine with less than two CPUs.
    let seat = cpus.remove(0);
    let (backup, mut primary): (Vec<Cpu>, Vec<Cpu>) = cpus
        .into_iter()
        .partition(|cpu| options.failover_cpus.contains(cpu.number));
    let compute = compute::take_cpus(options, machine, &mut primary)?;
    Ok(Cores {
        seat,
        primary,
        backup,
        compute,
        parked,
        silent,
    })
}

/// Checks the list on a machine with `count` CPUs, of which these answered. It may name one that did not: that is the
/// machine's fault, and must not keep it from booting.
fn check_list(options: &Options, cpus: &[Cpu], count: usize) -> Result<(), Refusal> {
    let list = &options.failover_cpus;
    let used = count.min(MAX_CORES) as u32;
    let refuse = |reason, would_work| {
        let given = options.as_given("failover_cpus");
        Err(Refusal::new("failover_cpus", given, reason, would_work))
    };
    if cpus.len() < 2 {
        let reason = match count {
            0 | 1 => format!("the machine has {count} CPU; seat and primary take one each"),
            _ => format!(
                "of the machine's {count} CPUs {} answers; seat and primary take one each",
                cpus.len()
            ),
        };
        return refuse(reason, format!("a machine with 2 to {MAX_CORES} CPUs"));
    }
    let last = list.iter().next_back().unwrap_or(0);
    let reason = if last as usize >= count {
        format!("the machine has {count} CPUs, 0 to {}", count - 1)
    } else if last >= used {
        format!("CPU {last} takes no part: only the first {MAX_CORES} of {count} do")
    } else if !list.contains(0) {
        "CPU 0 is not in it: INIT stops any CPU but the one that was booted, so the one that fences sits there"
            .into()
    } else if cpus.iter().all(|cpu| list.contains(cpu.number)) {
        let answering = if cpus.len() as u32 == used {
            ""
        } else {
            " that answer"
        };
        let count = count.min(cpus.len());
        format!("the machine has {count} CPUs{answering}, and none is left to the primary")
    } else {
        return Ok(());
    };
    refuse(reason, mend(list, cpus).to_string())
}

/// Returns the nearest list that is allowed on a machine that uses these CPUs.
fn mend(list: &CpuList, cpus: &[Cpu]) -> CpuList {
    let others = cpus.iter().skip(1).map(|cpu| cpu.number);
    let mut numbers: Vec<u32> = others.filter(|number| list.contains(*number)).collect();
    if numbers.len() == cpus.len() - 1 {
        numbers.pop();
    }
    numbers.into_iter().chain([0]).collect()
}

fn check_mode(options: &Options, cpus: &[Cpu]) -> Result<(), Refusal> {
    let far = cpus.iter().find(|cpu| cpu.apic_id.0 >= XAPIC_IDS);
    match far {
        Some(cpu) if options.apic == ApicMode::Xapic => Err(Refusal::new(
            "apic",
            options.as_given("apic"),
            format!(
                "CPU {} has the APIC id {}, out of reach in xAPIC mode",
                cpu.number, cpu.apic_id
            ),
            "auto",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acpi::ApicId;
    use alloc::string::String;
    use alloc::vec;

    fn options(rest: &str) -> Options {
        Options::parse(&format!("primary_kernel=/a failover_kernel=/b {rest}")).unwrap()
    }

    fn machine(ids: Vec<ApicId>, silent: &[u32]) -> Machine {
        Machine {
            cpus: ids,
            silent: silent.to_vec(),
            ..Machine::default()
        }
    }

    fn shared_without(rest: &str, count: u32, silent: &[u32]) -> Result<Cores, String> {
        let ids = (0..count).map(|id| ApicId(id * 2)).collect();
        share(&options(rest), &machine(ids, silent)).map_err(|refusal| refusal.to_string())
    }

    fn shared(rest: &str, count: u32) -> Result<Cores, String> {
        shared_without(rest, count, &[])
    }

    fn numbers(cpus: &[Cpu]) -> Vec<u32> {
        cpus.iter().map(|cpu| cpu.number).collect()
    }

    fn refused(rest: &str, count: u32) -> String {
        shared(rest, count).err().unwrap()
    }

    #[test]
    fn the_bsp_is_the_seat_and_the_list_is_kept_for_the_backup() {
        let cores = shared("failover_cpus=0,3", 4).unwrap();
        assert_eq!((cores.seat.number, cores.seat.apic_id), (0, ApicId(0)));
        assert_eq!(numbers(&cores.primary), [1, 2]);
        assert_eq!(cores.primary[1].apic_id, ApicId(4));
        assert_eq!(numbers(&cores.backup), [3]);
        assert_eq!(numbers(&shared("", 2).unwrap().primary), [1]);
        assert!(shared("", 2).unwrap().parked.is_empty());
    }

    #[test]
    fn the_513th_cpu_stays_parked() {
        let cores = shared("", 515).unwrap();
        assert_eq!(cores.primary.len(), 511);
        assert_eq!(numbers(&cores.parked), [512, 513, 514]);
        assert_eq!(
            refused("failover_cpus=0,513", 515),
            "failover_cpus=0,513: CPU 513 takes no part: only the first 512 of 515 do; 0 would work"
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_list_that_can() {
        assert_eq!(
            refused("failover_cpus=2", 4),
            "failover_cpus=2: CPU 0 is not in it: INIT stops any CPU but the one that was booted, so the one that \
             fences sits \
             there; 0,2 would work"
        );
        assert_eq!(
            refused("failover_cpus=0,4,9", 4),
            "failover_cpus=0,4,9: the machine has 4 CPUs, 0 to 3; 0 would work"
        );
        assert_eq!(
            refused("failover_cpus=0-3", 4),
            "failover_cpus=0-3: the machine has 4 CPUs, and none is left to the primary; 0-2 would work"
        );
        assert_eq!(
            refused("", 1),
            "failover_cpus=0 (the default): the machine has 1 CPU; seat and primary take one each; a machine with 2 \
             to 512 CPUs \
             would work"
        );
        assert!(refused("", 0).contains("0 CPU"));
    }

    #[test]
    fn a_cpu_that_does_not_answer_takes_no_part_and_the_others_keep_their_numbers() {
        let cores = shared_without("failover_cpus=0,3,4", 6, &[2, 4]).unwrap();
        assert_eq!(numbers(&cores.primary), [1, 5]);
        assert_eq!(numbers(&cores.backup), [3]);
        assert_eq!(numbers(&cores.silent), [2, 4]);
        let refused = |rest, silent: &[u32]| shared_without(rest, 4, silent).err().unwrap();
        assert_eq!(
            refused("failover_cpus=0-2", &[3]),
            "failover_cpus=0-2: the machine has 3 CPUs that answer, and none is left to the primary; 0-1 would work"
        );
        assert!(refused("", &[1, 2, 3]).contains("of the machine's 4 CPUs 1 answers"));
    }

    #[test]
    fn xapic_mode_does_not_reach_every_cpu() {
        let ids = vec![ApicId(0), ApicId(254)];
        assert!(share(&options("apic=xapic"), &machine(ids, &[])).is_ok());
        let far = machine(vec![ApicId(0), ApicId(255)], &[]);
        let refusal = share(&options("apic=xapic"), &far).err().unwrap();
        assert_eq!(
            refusal.to_string(),
            "apic=xapic: CPU 1 has the APIC id 255, out of reach in xAPIC mode; auto would work"
        );
        assert!(share(&options(""), &far).is_ok());
    }
}
