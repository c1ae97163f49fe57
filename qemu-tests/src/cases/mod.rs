//! The tests, by subject.

mod access;
mod backup;
mod bochs;
mod boot;
mod campaign;
mod clients;
mod clocks;
mod compute;
mod connections;
mod cores;
mod deaths;
mod devices;
mod dma;
mod hostile;
mod images;
mod instants;
mod iso;
mod journal;
mod linux;
mod linux_ends;
mod machine_checks;
mod memory;
mod mixed;
mod model;
mod monitor;
mod not_serving;
mod own_words;
mod qualify;
mod rearm;
mod refusals;
mod reset;
mod screen;
mod survival;
mod upgrade;

use crate::suite::Test;

/// Returns all tests, in the order in which they run.
pub fn all() -> Vec<Test> {
    let subjects = [
        boot::tests(),
        clocks::tests(),
        cores::tests(),
        deaths::tests(),
        devices::tests(),
        dma::tests(),
        not_serving::tests(),
        own_words::tests(),
        images::tests(),
        journal::tests(),
        backup::tests(),
        clients::tests(),
        access::tests(),
        connections::tests(),
        hostile::tests(),
        campaign::tests(),
        rearm::tests(),
        instants::tests(),
        compute::tests(),
        reset::tests(),
        monitor::tests(),
        machine_checks::tests(),
        memory::tests(),
        upgrade::tests(),
        refusals::tests(),
        iso::tests(),
        bochs::tests(),
        qualify::tests(),
        screen::tests(),
        model::tests(),
        linux::tests(),
        linux_ends::tests(),
        mixed::tests(),
    ];
    subjects.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_test_has_a_name_of_its_own_and_a_boot_line_that_parses() {
        let tests = all();
        let names: HashSet<&str> = tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names.len(), tests.len());
        for test in &tests {
            assert!(
                test.name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
                "{}",
                test.name
            );
            assert!(!test.doc.is_empty());
            partition::Options::parse(&test.machine.boot_line())
                .unwrap_or_else(|refusal| panic!("{}: {refusal}", test.name));
        }
    }
}
