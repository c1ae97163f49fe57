//! A primary that dies by itself: it checks what its predecessor acknowledged, has more acknowledged, waits until a
//! backup is ready, and says how it is to die.

use alloc::format;
use alloc::string::String;

/// Number of requests that each primary has acknowledged before it dies.
const REQUESTS: u64 = 8;

/// Number of keys that the requests fill in turn.
const KEYS: u64 = 64;

/// How long a primary goes on after a backup is ready, in ns: the backup has been told of it by then.
const REST_NS: u64 = 5_000_000;

/// How a primary dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// It panics, and says so.
    Panic,
    /// Its first core hangs with interrupts off.
    Hang,
    /// Its main loop hangs; interrupts go on.
    Loop,
}

impl Death {
    /// All of them, in the order in which they take turns.
    pub const ALL: [Self; 3] = [Self::Panic, Self::Hang, Self::Loop];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::Loop => "hung loop",
        }
    }

    /// Returns how the primary of `epoch` dies.
    pub fn of_epoch(epoch: u64) -> Self {
        Self::ALL[(epoch % Self::ALL.len() as u64) as usize]
    }
}

/// What a trial sees.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The reply to the command that was given last.
    pub reply: Option<&'a [u8]>,
    /// Whether a backup waits.
    pub is_protected: bool,
    /// The time, in ns.
    pub now_ns: u64,
}

/// What the primary is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Have the service execute this command.
    Command(String),
    /// Die.
    Die(Death),
    /// Go on.
    Wait,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    AskCount,
    CheckCount,
    CheckValue,
    Count(u64),
    Store(u64),
    Protect,
    Rest { until_ns: u64 },
    Over,
}

/// The trial of one primary.
#[derive(Debug)]
pub struct Trial {
    step: Step,
    death: Option<Death>,
    acknowledged: u64,
    wrong: u64,
}

impl Trial {
    /// Begins the trial of the primary of `epoch`, which dies if it is one of the first `takeovers`. All its
    /// predecessors together have `acknowledged` so many requests.
    pub fn new(epoch: u64, takeovers: u64, acknowledged: u64) -> Self {
        Self {
            step: Step::AskCount,
            death: (epoch <= takeovers).then(|| Death::of_epoch(epoch)),
            acknowledged,
            wrong: 0,
        }
    }

    /// Returns how many requests were acknowledged so far, by all primaries.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Returns how many replies were wrong.
    pub fn wrong(&self) -> u64 {
        self.wrong
    }

    /// Returns whether the predecessors' state was looked at, and all requests of this primary are acknowledged.
    pub fn is_checked(&self) -> bool {
        matches!(self.step, Step::Protect | Step::Rest { .. } | Step::Over)
    }

    /// Looks, and says what is to be done. A command is answered before the next look.
    pub fn next(&mut self, view: &View<'_>) -> Act {
        match self.step {
            Step::AskCount => {
                self.step = Step::CheckCount;
                Act::Command("GET trial:count".into())
            }
            Step::CheckCount => {
                let expected = match self.acknowledged {
                    0 => "$-1\r\n".into(),
                    count => bulk(count),
                };
                self.expect(view.reply, &expected);
                self.step = Step::CheckValue;
                Act::Command(format!("GET trial:{}", self.acknowledged % KEYS))
            }
            Step::CheckValue => {
                let expected = match self.acknowledged {
                    0 => "$-1\r\n".into(),
                    count => bulk(count),
                };
                self.expect(view.reply, &expected);
                self.store(0)
            }
            Step::Store(done) => {
                self.expect(view.reply, "+OK\r\n");
                self.step = Step::Count(done);
                Act::Command("INCR trial:count".into())
            }
            Step::Count(done) => {
                let count = self.acknowledged + 1;
                self.expect(view.reply, &format!(":{count}\r\n"));
                self.acknowledged = count;
                if done + 1 < REQUESTS {
                    return self.store(done + 1);
                }
                self.step = Step::Protect;
                Act::Wait
            }
            Step::Protect => {
                if view.is_protected {
                    let until_ns = view.now_ns + REST_NS;
                    self.step = Step::Rest { until_ns };
                }
                Act::Wait
            }
            Step::Rest { until_ns } if !view.is_protected || view.now_ns < until_ns => {
                if !view.is_protected {
                    self.step = Step::Protect;
                }
                Act::Wait
            }
            Step::Rest { .. } => {
                self.step = Step::Over;
                self.death.map_or(Act::Wait, Act::Die)
            }
            Step::Over => Act::Wait,
        }
    }

    fn store(&mut self, done: u64) -> Act {
        self.step = Step::Store(done);
        let next = self.acknowledged + 1;
        Act::Command(format!("SET trial:{} {next}", next % KEYS))
    }

    fn expect(&mut self, reply: Option<&[u8]>, expected: &str) {
        self.wrong += u64::from(reply != Some(expected.as_bytes()));
    }
}

/// Writes a number as a bulk string of the service's protocol (RESP).
fn bulk(number: u64) -> String {
    let digits = format!("{number}");
    format!("${}\r\n{digits}\r\n", digits.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::string::ToString;
    use std::vec::Vec;

    /// A service as the trial needs it.
    #[derive(Clone, Default)]
    struct Store(HashMap<String, u64>);

    impl Store {
        fn execute(&mut self, command: &str) -> String {
            let words: Vec<&str> = command.split(' ').collect();
            match words[..] {
                ["GET", key] => self.0.get(key).map_or("$-1\r\n".into(), |it| bulk(*it)),
                ["SET", key, value] => {
                    self.0.insert(key.into(), value.parse().unwrap());
                    "+OK\r\n".into()
                }
                ["INCR", key] => {
                    let count = self.0.entry(key.into()).or_default();
                    *count += 1;
                    format!(":{count}\r\n")
                }
                _ => panic!("{command}"),
            }
        }
    }

    /// Plays a life; returns how it ended.
    fn live(store: &mut Store, trial: &mut Trial) -> Option<Death> {
        let mut reply = None::<String>;
        for now_ms in 0..200 {
            let view = View {
                reply: reply.as_deref().map(str::as_bytes),
                is_protected: now_ms > 50,
                now_ns: now_ms * 1_000_000,
            };
            match trial.next(&view) {
                Act::Command(command) => reply = Some(store.execute(&command)),
                Act::Die(death) => {
                    assert!(now_ms >= 55, "it rests after a backup is ready");
                    return Some(death);
                }
                Act::Wait => reply = None,
            }
        }
        None
    }

    #[test]
    fn primaries_die_in_turn_and_the_last_goes_on() {
        let (mut store, mut acknowledged) = (Store::default(), 0);
        let mut deaths = Vec::new();
        for epoch in 1..=5 {
            let mut trial = Trial::new(epoch, 4, acknowledged);
            deaths.push(live(&mut store, &mut trial).map(Death::name));
            assert_eq!(trial.wrong(), 0);
            assert!(trial.is_checked());
            acknowledged = trial.acknowledged();
        }
        let names = [
            Some("hang"),
            Some("hung loop"),
            Some("panic"),
            Some("hang"),
            None,
        ];
        assert_eq!(deaths, names);
        assert_eq!(acknowledged, 5 * REQUESTS);
        assert!(!Trial::new(6, 4, acknowledged).is_checked());
    }

    #[test]
    fn what_is_lost_or_invented_is_seen() {
        let mut whole = Store::default();
        let mut trial = Trial::new(1, 2, 0);
        live(&mut whole, &mut trial);
        let acknowledged = trial.acknowledged();
        type Damage = fn(&mut Store);
        let damages: [(&str, Damage); 4] = [
            ("all is lost", |store| store.0.clear()),
            ("the last is lost", |store| {
                *store.0.get_mut("trial:count").unwrap() -= 1;
            }),
            ("one is applied twice", |store| {
                *store.0.get_mut("trial:count").unwrap() += 1;
            }),
            ("a value is another", |store| {
                store.0.insert("trial:8".to_string(), 9);
            }),
        ];
        for (what, damage) in damages {
            let mut store = whole.clone();
            damage(&mut store);
            let mut successor = Trial::new(2, 2, acknowledged);
            live(&mut store, &mut successor);
            assert!(successor.wrong() > 0, "{what}");
        }
    }

    #[test]
    fn nobody_dies_without_a_backup() {
        let mut trial = Trial::new(1, 1, 0);
        let mut store = Store::default();
        let mut reply = None::<String>;
        for now_ns in 0..100 {
            let view = View {
                reply: reply.as_deref().map(str::as_bytes),
                is_protected: false,
                now_ns: now_ns << 30,
            };
            match trial.next(&view) {
                Act::Command(command) => reply = Some(store.execute(&command)),
                Act::Die(_) => panic!("it died unprotected"),
                Act::Wait => reply = None,
            }
        }
    }
}
