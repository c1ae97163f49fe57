//! The columns of a takeover's timeline as fields: one key for each edge and each counter, from their lists.

use core::fmt;

use super::{Field, Fields, Form, ParseError, Value};
use crate::numbered::Entry;
use crate::timeline::{COUNTERS_MAX, Counter, EDGES_MAX, Edge, Timeline};

/// When the edges of a takeover were reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeTimes([Option<u64>; EDGES_MAX]);

impl EdgeTimes {
    /// Returns the stamps of `timeline`.
    pub fn of(timeline: &Timeline) -> Self {
        let mut times = Self::default();
        for edge in Edge::ALL {
            times.set(edge, timeline.edge_ns(edge));
        }
        times
    }

    /// Returns when `edge` was reached, in ns since the machine's boot; `None` if it was not.
    pub fn ns(&self, edge: Edge) -> Option<u64> {
        self.0[edge as usize]
    }

    /// Sets when `edge` was reached, in ns since the machine's boot.
    pub fn set(&mut self, edge: Edge, at_ns: Option<u64>) {
        self.0[edge as usize] = at_ns;
    }
}

/// The counters of a takeover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters([u64; COUNTERS_MAX]);

impl Counters {
    /// Returns the counters of `timeline`.
    pub fn of(timeline: &Timeline) -> Self {
        let mut counters = Self::default();
        for counter in Counter::ALL {
            counters.set(counter, timeline.counter(counter));
        }
        counters
    }

    /// Returns the value of `counter`.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// Sets the value of `counter`.
    pub fn set(&mut self, counter: Counter, value: u64) {
        self.0[counter as usize] = value;
    }
}

/// Writes ` key=value` with the key of a name: hyphens in the name become underscores in the key.
fn write_named(f: &mut fmt::Formatter<'_>, name: &str, unit: &str, value: u64) -> fmt::Result {
    f.write_str(" ")?;
    for (index, part) in name.split('-').enumerate() {
        f.write_str(if index == 0 { "" } else { "_" })?;
        f.write_str(part)?;
    }
    write!(f, "{unit}={value}")
}

/// Takes a number by the key of a name.
fn take_named(
    key: &'static str,
    fields: &mut Fields<'_>,
    name: &str,
    unit: &str,
) -> Result<Option<u64>, ParseError> {
    let raw = fields.take(&[name, unit])?;
    raw.map(|raw| u64::read(raw).ok_or(ParseError::BadValue(key)))
        .transpose()
}

/// Returns the maximum number of bytes that the fields of a list take.
const fn bytes_max(entries: &[Entry], unit: &str) -> usize {
    let (mut index, mut bytes) = (0, 0);
    while index < entries.len() {
        bytes += " =".len() + entries[index].name.len() + unit.len() + <u64 as Value>::BYTES_MAX;
        index += 1;
    }
    bytes
}

/// The unit that follows the name of an edge.
const EDGE_UNIT: &str = "_ns";

impl Field for EdgeTimes {
    const FORM: Form = Form::Each(Edge::LIST, EDGE_UNIT);
    const BYTES_MAX: usize = bytes_max(Edge::LIST.entries, EDGE_UNIT);

    fn write(&self, _: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Edge::ALL.into_iter().try_for_each(|edge| {
            let at_ns = self.ns(edge);
            at_ns.map_or(Ok(()), |at_ns| {
                write_named(f, edge.name(), EDGE_UNIT, at_ns)
            })
        })
    }

    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, ParseError> {
        let mut times = Self::default();
        for edge in Edge::ALL {
            times.set(edge, take_named(key, fields, edge.name(), EDGE_UNIT)?);
        }
        Ok(times)
    }
}

impl Field for Counters {
    const FORM: Form = Form::Each(Counter::LIST, "");
    const BYTES_MAX: usize = bytes_max(Counter::LIST.entries, "");

    fn write(&self, _: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counters = Counter::ALL.into_iter();
        counters.try_for_each(|counter| write_named(f, counter.name(), "", self.get(counter)))
    }

    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, ParseError> {
        let mut counters = Self::default();
        for counter in Counter::ALL {
            let value = take_named(key, fields, counter.name(), "")?;
            counters.set(counter, value.ok_or(ParseError::Missing(key))?);
        }
        Ok(counters)
    }
}

#[cfg(test)]
mod arbitrary {
    use super::{Counter, Counters, Edge, EdgeTimes};
    use proptest::arbitrary::{Arbitrary, any};
    use proptest::strategy::{BoxedStrategy, Strategy};

    impl Arbitrary for EdgeTimes {
        type Parameters = ();
        type Strategy = BoxedStrategy<Self>;

        fn arbitrary_with((): ()) -> Self::Strategy {
            let stamps = any::<[Option<u64>; Edge::COUNT]>();
            let times = stamps.prop_map(|stamps| {
                let mut times = Self::default();
                for (edge, at_ns) in Edge::ALL.into_iter().zip(stamps) {
                    times.set(edge, at_ns);
                }
                times
            });
            times.boxed()
        }
    }

    impl Arbitrary for Counters {
        type Parameters = ();
        type Strategy = BoxedStrategy<Self>;

        fn arbitrary_with((): ()) -> Self::Strategy {
            let counters = any::<[u64; Counter::COUNT]>().prop_map(|values| {
                let mut counters = Self::default();
                for (counter, value) in Counter::ALL.into_iter().zip(values) {
                    counters.set(counter, value);
                }
                counters
            });
            counters.boxed()
        }
    }
}
