//! What comes out of workerd's pipes, and who may have written it.
//!
//! All Workers write to the same two pipes. Lines of account Workers begin with a *mark*, a random word that user Workers
//! do not know; so a user Worker can write what it likes and still makes no decision record. Nor can it have another write
//! one for it, say a dispatch Worker that logs what a user Worker threw: decisions are those of Workers that run as
//! outbound Workers, whose mark ends in `!`. All processes have the same.
//!
//! A line is dealt with where it is read. Nothing is queued but for those who listen to [events], who lose the oldest
//! where a Worker prints faster than they read; workerd waits for a pipe that is full.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::Event;

/// The events that are kept for one who listens.
const KEPT: usize = 4096;

/// The scripts that are remembered for the case that workerd hangs or ends: more than begin between two signs of life.
const REMEMBERED: usize = 1000;

/// Where the events of all processes come together.
pub(super) fn events() -> broadcast::Sender<Event> {
    broadcast::channel(KEPT).0
}

/// Reads the lines of one workerd after another, those that were started in its place.
#[derive(Debug)]
pub(super) struct Output {
    mark: String,
    events: broadcast::Sender<Event>,
    begun: Mutex<Begun>,
}

/// What is known of invocations that began.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// Their scripts, the latest first.
    pub(super) scripts: VecDeque<String>,
    /// When the earliest of them began, no other script had an invocation under way.
    pub(super) alone: bool,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// An invocation of a user Worker begins: its key, and whether no other has one under way.
    Began { key: String, alone: bool },
    /// Something to pass on.
    Event(Event),
}

impl Output {
    pub(super) fn new(mark: String, events: broadcast::Sender<Event>) -> Self {
        Self { mark, events, begun: Mutex::default() }
    }

    /// Takes a line in.
    pub(super) fn hear(&self, line: String) {
        match self.read(line) {
            Said::Began { key, alone } => {
                let mut begun = self.begun();
                if alone {
                    begun.scripts.clear();
                    begun.alone = true;
                }
                begun.scripts.retain(|known| *known != key);
                begun.scripts.push_front(key);
                begun.scripts.truncate(REMEMBERED);
            }
            Said::Event(event) => self.emit(event),
        }
    }

    /// Tells those who listen.
    pub(super) fn emit(&self, event: Event) {
        // Nobody has to listen.
        let _ = self.events.send(event);
    }

    /// What began since this was called last, and may be under way.
    pub(super) fn take_begun(&self) -> Begun {
        std::mem::take(&mut *self.begun())
    }

    fn begun(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line apart.
    fn read(&self, line: String) -> Said {
        let Some(rest) = line.strip_prefix(&self.mark) else {
            return Said::Event(Event::Line { worker: None, text: line });
        };
        for (begins, alone) in [("> ", false), (">! ", true)] {
            if let Some(key) = rest.strip_prefix(begins) {
                return Said::Began { key: key.to_owned(), alone };
            }
        }
        let (rest, judges) = rest.strip_prefix('!').map_or((rest, false), |rest| (rest, true));
        let (worker, text) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
        let record = serde_json::from_str::<serde_json::Value>(text).ok().filter(|_| judges);
        if record.is_some_and(|record| record.get("event").is_some_and(|event| event == "decision")) {
            return Said::Event(Event::Decision { worker: worker.to_owned(), record: text.to_owned() });
        }
        Said::Event(Event::Line { worker: Some(worker.to_owned()), text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"event":"decision","effect":"allow"}"#;

    #[test]
    fn a_decision_record_without_the_mark_is_a_line_like_any_other() {
        let output = Output::new("m4rk".to_owned(), events());
        let line = Said::Event(Event::Line { worker: None, text: RECORD.to_owned() });
        assert_eq!(output.read(RECORD.to_owned()), line);
        let decision = Event::Decision { worker: "tidegate-outbound".to_owned(), record: RECORD.to_owned() };
        assert_eq!(output.read(format!("m4rk! tidegate-outbound {RECORD}")), Said::Event(decision));
        let line = Event::Line { worker: Some("dispatcher".to_owned()), text: RECORD.to_owned() };
        assert_eq!(output.read(format!("m4rk dispatcher {RECORD}")), Said::Event(line), "it only repeats one");
    }

    #[test]
    fn invocations_are_remembered_by_their_scripts_the_latest_first_and_not_without_end() {
        let output = Output::new("m4rk".to_owned(), events());
        for key in ["3/acme", "3/globex", "3/acme"] {
            output.hear(format!("m4rk> {key}"));
        }
        let begun = output.take_begun();
        assert_eq!((Vec::from(begun.scripts), begun.alone), (vec!["3/acme".to_owned(), "3/globex".to_owned()], false));
        assert_eq!(output.take_begun().scripts, [""; 0]);
        for line in ["m4rk> 3/acme", "m4rk>! 3/globex", "m4rk> 3/initech"] {
            output.hear(line.to_owned());
        }
        let begun = output.take_begun();
        assert_eq!(
            (Vec::from(begun.scripts), begun.alone),
            (vec!["3/initech".to_owned(), "3/globex".to_owned()], true)
        );
        for number in 0..2 * REMEMBERED {
            output.hear(format!("m4rk> 3/w{number}"));
        }
        assert_eq!(output.take_begun().scripts.len(), REMEMBERED);
    }
}
