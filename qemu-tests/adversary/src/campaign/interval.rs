//! How sure a share is that was counted.

/// The normal distribution's quantile for an interval of 95 %.
const Z: f64 = 1.959_963_985;

/// Returns the lower end of Wilson's interval of 95 % for `successes` of `trials`, as a share (E. B. Wilson, "Probable
/// inference, the law of succession, and statistical inference", JASA 22, 1927). Without a trial it is 0.
pub fn wilson_low(successes: u64, trials: u64) -> f64 {
    if trials == 0 {
        return 0.0;
    }
    let count = trials as f64;
    let share = successes as f64 / count;
    let square = Z * Z / count;
    let centre = share + square / 2.0;
    let margin = Z * (share * (1.0 - share) / count + square / (4.0 * count)).sqrt();
    ((centre - margin) / (1.0 + square)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_published_one() {
        // Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17, 1998.
        let close = |found: f64, wanted: f64| assert!((found - wanted).abs() < 0.000_05, "{found}");
        close(wilson_low(81, 263), 0.2553);
        close(wilson_low(15, 148), 0.0624);
        close(wilson_low(0, 20), 0.0);
        close(wilson_low(20, 20), 0.8389);
        close(wilson_low(0, 0), 0.0);
    }
}
