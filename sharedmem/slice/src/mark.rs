//! Marks: instants of a rank that an emulator can see, which counts the instructions between them.
//!
//! A mark is a NOP with an operand that no compiler writes. It costs a rank one instruction and changes nothing, so
//! what is measured is what always runs.

/// An instant of a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Mark {
    /// The rank begins a step.
    Begun = 1,
    /// It has written its part of the step.
    Written = 2,
    /// It has committed the step.
    Committed = 3,
    /// The program marks a piece of its own work.
    Work = 4,
    /// A test lets the rank die.
    Dies = 5,
    /// The rank was entered.
    Entered = 6,
}

/// All marks.
pub const MARKS: [Mark; 6] = [
    Mark::Entered,
    Mark::Begun,
    Mark::Written,
    Mark::Committed,
    Mark::Work,
    Mark::Dies,
];

/// The operand of a mark's NOP, but for its lowest byte, which is the mark: "USM" in the others.
pub const MARK_OPERAND: u32 = u32::from_le_bytes(*b"\0USM");

impl Mark {
    /// Returns the mark whose instruction this is: `nop dword ptr [rax + rax + operand]` (Intel SDM vol. 2B, NOP).
    pub fn of_instruction(code: &[u8]) -> Option<Self> {
        let [0x0f, 0x1f, 0x84, 0x00, operand @ ..] = code else {
            return None;
        };
        let operand = u32::from_le_bytes(operand.try_into().ok()?);
        MARKS
            .into_iter()
            .find(|mark| operand == MARK_OPERAND | *mark as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_from_its_instruction_and_from_no_other() {
        let code = |low| [0x0f, 0x1f, 0x84, 0x00, low, b'U', b'S', b'M'];
        for mark in MARKS {
            assert_eq!(Mark::of_instruction(&code(mark as u8)), Some(mark));
        }
        assert_eq!(Mark::of_instruction(&code(0)), None);
        // The longest NOP of a compiler that begins so.
        assert_eq!(
            Mark::of_instruction(&[0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0]),
            None
        );
        assert_eq!(Mark::of_instruction(&code(1)[..7]), None);
    }
}
