//! What can lie at a position of the journal: a table of labelled cases, exactly one of which matches.

/// What was seen at a position. A condition that was not looked at, because an earlier one failed, counts as false.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conditions {
    /// The cursors make sense, or it is reported already that they do not.
    pub cursors_settled: bool,
    /// The position is where reading ends.
    pub at_end: bool,
    /// The stamp is that of this position.
    pub stamp_matches: bool,
    /// The length is possible for a record, and the record ends before reading does.
    pub length_fits: bool,
    /// The checksum is that of the copy.
    pub checksum_matches: bool,
    /// The epoch is neither later than the primary's nor earlier than one already seen.
    pub epoch_acceptable: bool,
}

/// The cases, and what the reader does in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// A. Report it, and decide without the cursors how far to read.
    CursorsAstray,
    /// B. Stop: there is nothing more to read.
    CleanEnd,
    /// C. Search for the next whole record; what lies before it is a hole.
    Unpublished,
    /// D. Report it, and search for the next whole record.
    LengthImpossible,
    /// E. Report it, and search for the next whole record: the length cannot be trusted either.
    ChecksumWrong,
    /// F. Report it, and step over it.
    EpochForeign,
    /// G. Return the record.
    Whole,
}

const CONDITIONS: usize = 6;
const COMBINATIONS: usize = 1 << CONDITIONS;

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const ANY: Option<bool> = None;

/// The columns are the fields of [`Conditions`], in their order.
#[rustfmt::skip]
const TABLE: [(Case, [Option<bool>; CONDITIONS]); 7] = [
    //                       cursors  at   stamp    length  checksum  epoch
    //                       settled  end  matches  fits    matches   acceptable
    (Case::CursorsAstray,    [NO,     ANY, ANY,     ANY,    ANY,      ANY]),
    (Case::CleanEnd,         [YES,    YES, ANY,     ANY,    ANY,      ANY]),
    (Case::Unpublished,      [YES,    NO,  NO,      ANY,    ANY,      ANY]),
    (Case::LengthImpossible, [YES,    NO,  YES,     NO,     ANY,      ANY]),
    (Case::ChecksumWrong,    [YES,    NO,  YES,     YES,    NO,       ANY]),
    (Case::EpochForeign,     [YES,    NO,  YES,     YES,    YES,      NO ]),
    (Case::Whole,            [YES,    NO,  YES,     YES,    YES,      YES]),
];

/// The case of every combination of conditions. The compiler checks that each has exactly one.
static CASES: [Case; COMBINATIONS] = {
    let mut cases = [Case::Whole; COMBINATIONS];
    let mut combination = 0;
    while combination < COMBINATIONS {
        cases[combination] = only_case_of(combination);
        combination += 1;
    }
    cases
};

const fn only_case_of(combination: usize) -> Case {
    let mut found = None;
    let mut row = 0;
    while row < TABLE.len() {
        if matches(&TABLE[row].1, combination) {
            assert!(found.is_none(), "two cases match the same conditions");
            found = Some(TABLE[row].0);
        }
        row += 1;
    }
    found.expect("no case matches these conditions")
}

const fn matches(wanted: &[Option<bool>; CONDITIONS], combination: usize) -> bool {
    let mut condition = 0;
    while condition < CONDITIONS {
        let holds = combination >> condition & 1 == 1;
        if let Some(wanted) = wanted[condition]
            && wanted != holds
        {
            return false;
        }
        condition += 1;
    }
    true
}

impl Conditions {
    /// Returns the case of these conditions.
    pub fn case(self) -> Case {
        let columns = [
            self.cursors_settled,
            self.at_end,
            self.stamp_matches,
            self.length_fits,
            self.checksum_matches,
            self.epoch_acceptable,
        ];
        let combination = columns
            .into_iter()
            .rev()
            .fold(0, |bits, holds| bits << 1 | usize::from(holds));
        CASES[combination]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn all() -> impl Iterator<Item = Conditions> {
        (0..COMBINATIONS).map(|bits| Conditions {
            cursors_settled: bits & 1 != 0,
            at_end: bits & 2 != 0,
            stamp_matches: bits & 4 != 0,
            length_fits: bits & 8 != 0,
            checksum_matches: bits & 16 != 0,
            epoch_acceptable: bits & 32 != 0,
        })
    }

    #[test]
    fn exactly_one_row_matches_every_combination() {
        for (combination, case) in CASES.into_iter().enumerate() {
            let rows: Vec<_> = TABLE
                .iter()
                .filter(|(_, wanted)| matches(wanted, combination))
                .collect();
            assert_eq!(rows.len(), 1, "{combination:06b}: {rows:?}");
            assert_eq!(case, rows[0].0);
        }
    }

    #[test]
    fn a_record_is_returned_only_when_everything_about_it_holds() {
        let whole: Vec<_> = all().filter(|c| c.case() == Case::Whole).collect();
        assert_eq!(whole.len(), 1);
        let c = whole[0];
        assert!(c.cursors_settled && c.stamp_matches && c.length_fits);
        assert!(c.checksum_matches && c.epoch_acceptable && !c.at_end);
    }

    /// Checks the table against another form of it: the first condition that fails names the case.
    #[test]
    fn the_first_condition_that_fails_names_the_case() {
        for c in all() {
            let steps = [
                (!c.cursors_settled, Case::CursorsAstray),
                (c.at_end, Case::CleanEnd),
                (!c.stamp_matches, Case::Unpublished),
                (!c.length_fits, Case::LengthImpossible),
                (!c.checksum_matches, Case::ChecksumWrong),
                (!c.epoch_acceptable, Case::EpochForeign),
            ];
            let first = steps.into_iter().find(|(fails, _)| *fails);
            assert_eq!(
                c.case(),
                first.map_or(Case::Whole, |(_, case)| case),
                "{c:?}"
            );
        }
    }
}
