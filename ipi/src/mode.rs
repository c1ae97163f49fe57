//! The modes and abilities of the processor's local APIC, from CPUID.

use core::error::Error;
use core::fmt;

use raw_cpuid::CpuId;

/// How software reaches the local APIC's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A page of memory-mapped registers; APIC ids of 8 bits.
    XApic,
    /// MSRs; APIC ids of 32 bits.
    X2Apic,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::XApic => "xAPIC",
            Mode::X2Apic => "x2APIC",
        })
    }
}

/// The processor has no local APIC, according to CPUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoLocalApic;

impl fmt::Display for NoLocalApic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // CPUID.1:EDX[9] follows the enable bit of IA32_APIC_BASE (Intel SDM vol. 3A, 11.4.3), hence the advice about
        // the firmware.
        f.write_str("CPUID: the processor has no local APIC, or the firmware has switched it off; switch it on there")
    }
}

impl Error for NoLocalApic {}

/// Returns the best mode the processor has.
///
/// # Errors
/// [`NoLocalApic`] if it has none.
pub fn detect() -> Result<Mode, NoLocalApic> {
    let features = CpuId::new().get_feature_info();
    best(
        features.as_ref().is_some_and(|has| has.has_apic()),
        features.as_ref().is_some_and(|has| has.has_x2apic()),
    )
}

const fn best(has_apic: bool, has_x2apic: bool) -> Result<Mode, NoLocalApic> {
    match (has_apic, has_x2apic) {
        (true, true) => Ok(Mode::X2Apic),
        (true, false) => Ok(Mode::XApic),
        (false, _) => Err(NoLocalApic),
    }
}

/// Proof that the timer has TSC-deadline mode. Without that mode, IA32_TSC_DEADLINE does not exist, and writing it is a
/// #GP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TscDeadline(());

impl TscDeadline {
    /// Asks CPUID (leaf 1, ECX bit 24).
    pub fn detect() -> Option<Self> {
        let features = CpuId::new().get_feature_info()?;
        features.has_tsc_deadline().then_some(Self(()))
    }

    /// Makes the proof without CPUID, for callers that know.
    ///
    /// # Safety
    /// Every processor the proof is used on has TSC-deadline mode.
    pub const unsafe fn assume() -> Self {
        Self(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_mode_wins() {
        assert_eq!(best(true, true), Ok(Mode::X2Apic));
        assert_eq!(best(true, false), Ok(Mode::XApic));
        assert_eq!(best(false, false), Err(NoLocalApic));
    }

    #[test]
    fn an_apic_that_is_switched_off_is_none() {
        // CPUID continues to report x2APIC when IA32_APIC_BASE[11] is 0.
        assert_eq!(best(false, true), Err(NoLocalApic));
    }
}
