//! A timer that the ACPI table WDAT describes: its entries are carried out as they say.

use partition::acpi::wdat::{
    WatchdogAction as Action, WatchdogEntry as Entry, WatchdogField as Field,
    WatchdogInstruction as Instruction, WatchdogTable,
};

use crate::WatchdogError;
use crate::registers::{Place, Registers};

/// The timer of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wdat(WatchdogTable);

impl Wdat {
    /// Makes the timer of a table that says how to set, start and pet it.
    ///
    /// # Errors
    /// What the table lacks.
    pub fn new(table: WatchdogTable) -> Result<Self, WatchdogError> {
        for (action, what) in [
            (Action::SetCountdown, "set the countdown"),
            (Action::Start, "start it"),
            (Action::Pet, "pet it"),
            (Action::Stop, "stop it"),
        ] {
            if !table.entries.iter().any(|entry| entry.action == action) {
                return Err(WatchdogError::Missing(what));
            }
        }
        Ok(Self(table))
    }

    /// Returns the physical addresses of its registers that are in memory.
    pub fn memory(&self) -> impl Iterator<Item = u64> {
        let fields = self.0.entries.iter().map(|entry| entry.field);
        fields.filter(|it| !it.is_port).map(|it| it.address)
    }

    pub(crate) fn start(
        &self,
        registers: &mut impl Registers,
        timeout_ms: u64,
    ) -> Result<(), WatchdogError> {
        let count_ms = u64::from(self.0.count_ms);
        let counts = timeout_ms.div_ceil(count_ms);
        let (least, most) = (*self.0.counts.start(), *self.0.counts.end());
        if !(u64::from(least)..=u64::from(most)).contains(&counts) {
            let [least, most] = [least, most].map(|counts| u64::from(counts) * count_ms);
            return Err(WatchdogError::Time(least, most));
        }
        let counts = counts as u32;
        self.stop(registers);
        for action in [
            Action::SetCountdown,
            Action::ResetAtEnd,
            Action::Start,
            Action::Pet,
        ] {
            self.carry_out(registers, action, counts);
        }
        match self.is_running(registers) {
            true => Ok(()),
            false => Err(WatchdogError::NotRunning),
        }
    }

    pub(crate) fn pet(&self, registers: &mut impl Registers) -> Result<(), WatchdogError> {
        let was_running = self.is_running(registers);
        if !was_running {
            self.carry_out(registers, Action::Start, 0);
        }
        self.carry_out(registers, Action::Pet, 0);
        match was_running {
            true => Ok(()),
            false => Err(WatchdogError::NotRunning),
        }
    }

    pub(crate) fn stop(&self, registers: &mut impl Registers) {
        self.carry_out(registers, Action::Stop, 0);
    }

    /// Asks whether it counts. A table that does not say how to ask is believed.
    fn is_running(&self, registers: &mut impl Registers) -> bool {
        let mut questions = self.entries(Action::IsRunning);
        let compares = |entry: &&Entry| entry.instruction == Instruction::Compare;
        questions
            .find(compares)
            .is_none_or(|entry| read(registers, entry.field) == entry.value & entry.field.mask)
    }

    fn entries(&self, action: Action) -> impl Iterator<Item = &Entry> {
        self.0.entries.iter().filter(move |it| it.action == action)
    }

    fn carry_out(&self, registers: &mut impl Registers, action: Action, counts: u32) {
        for entry in self.entries(action) {
            match entry.instruction {
                Instruction::Compare => drop(read(registers, entry.field)),
                Instruction::Write => write(registers, entry.field, entry.value),
                Instruction::WriteCountdown => write(registers, entry.field, counts),
            }
        }
    }
}

fn place(field: Field) -> Place {
    match field.is_port {
        true => Place::Port(field.address as u16),
        false => Place::Memory(field.address),
    }
}

/// Returns the bits of a register's width.
fn all_bits(field: Field) -> u32 {
    u32::MAX >> (32 - u32::from(field.width))
}

fn read(registers: &mut impl Registers, field: Field) -> u32 {
    registers.read(place(field), field.width) >> field.shift & field.mask
}

fn write(registers: &mut impl Registers, field: Field, value: u32) {
    let bits = field.mask << field.shift & all_bits(field);
    let value = value << field.shift & bits;
    let others = match field.keeps_others {
        true => registers.read(place(field), field.width) & !bits,
        false => 0,
    };
    registers.write(
        place(field),
        field.width,
        (value | others) & all_bits(field),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::tests::FakeRegisters;
    use std::vec;
    use std::vec::Vec;

    const CONTROL: Place = Place::Port(0x668);
    const COUNT: Place = Place::Memory(0xfed0_0010);
    const RELOAD: Place = Place::Port(0x660);

    fn entry(
        action: Action,
        instruction: Instruction,
        at: Place,
        bits: (u8, u32),
        value: u32,
    ) -> Entry {
        let (is_port, address) = match at {
            Place::Port(port) => (true, port.into()),
            Place::Memory(address) => (false, address),
        };
        Entry {
            action,
            instruction,
            field: Field {
                is_port,
                address,
                width: 16,
                shift: bits.0,
                mask: bits.1,
                keeps_others: at == CONTROL,
            },
            value,
        }
    }

    /// Makes the table of a timer like the TCO's, which counts 600 ms once.
    fn table() -> WatchdogTable {
        use Instruction::{Compare, Write, WriteCountdown};
        WatchdogTable {
            count_ms: 600,
            counts: 4..=0x3ff,
            entries: vec![
                entry(Action::Pet, Write, RELOAD, (0, 0xffff), 1),
                entry(Action::SetCountdown, WriteCountdown, COUNT, (0, 0x3ff), 0),
                entry(Action::IsRunning, Compare, CONTROL, (11, 1), 0),
                entry(Action::Start, Write, CONTROL, (11, 1), 0),
                entry(Action::Stop, Write, CONTROL, (11, 1), 1),
            ],
        }
    }

    #[test]
    fn the_entries_are_carried_out_as_they_say() {
        let wdat = Wdat::new(table()).unwrap();
        assert_eq!(wdat.memory().collect::<Vec<_>>(), [0xfed0_0010]);
        let mut registers = FakeRegisters::default();
        registers.values.insert(CONTROL, 0x8001);
        assert_eq!(wdat.start(&mut registers, 30_000), Ok(()));
        assert_eq!(
            registers.written,
            [
                (CONTROL, 0x8801),
                (COUNT, 50),
                (CONTROL, 0x8001),
                (RELOAD, 1)
            ]
        );
        registers.written.clear();
        assert_eq!(wdat.pet(&mut registers), Ok(()));
        assert_eq!(registers.written, [(RELOAD, 1)]);
        wdat.stop(&mut registers);
        assert_eq!(registers.values[&CONTROL], 0x8801);
        assert_eq!(wdat.pet(&mut registers), Err(WatchdogError::NotRunning));
        assert_eq!(registers.values[&CONTROL], 0x8001, "it goes on");
    }

    #[test]
    fn a_timer_that_does_not_obey_or_a_table_that_lacks_something_is_refused() {
        let wdat = Wdat::new(table()).unwrap();
        let mut registers = FakeRegisters::default();
        registers.stuck.insert(CONTROL, 1 << 11);
        registers.values.insert(CONTROL, 1 << 11);
        let refused = Err(WatchdogError::NotRunning);
        assert_eq!(wdat.start(&mut registers, 30_000), refused);
        for wrong_ms in [1_000, 700_000] {
            let refused = Err(WatchdogError::Time(2_400, 613_800));
            assert_eq!(wdat.start(&mut registers, wrong_ms), refused);
        }
        for missing in 0..5 {
            let mut table = table();
            let left_out = table.entries.remove(missing).action;
            let is_needed = left_out != Action::IsRunning;
            assert_eq!(Wdat::new(table).is_err(), is_needed, "{left_out:?}");
        }
    }

    #[test]
    fn a_hostile_table_writes_no_bit_that_its_register_does_not_have() {
        // `FakeRegisters` asserts the width.
        let field = Field {
            is_port: true,
            address: 0x660,
            width: 8,
            shift: 7,
            mask: u32::MAX,
            keeps_others: true,
        };
        let mut registers = FakeRegisters::default();
        for value in [0, 1, u32::MAX] {
            write(&mut registers, field, value);
            assert_eq!(read(&mut registers, field), value & 1);
        }
    }
}
