//! What comes out of workerd's pipes, and who may have written it.
//!
//! All Workers write to the same two pipes. Lines of account Workers begin with a *mark*, a random word that user Workers
//! do not know; so a user Worker can write what it likes and still makes no decision record. All processes have the same.
//!
//! A line is dealt with where it is read. Nothing is queued but for those who listen to [events], who lose the oldest
//! where a Worker prints faster than they read; workerd waits for a pipe that is full.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::Event;

/// The events that are kept for one who listens.
const KEPT: usize = 4096;

/// The invocations that are remembered for the case that workerd hangs or ends.
const REMEMBERED: usize = 16;

/// Where the events of all processes come together.
pub(super) fn events() -> broadcast::Sender<Event> {
    broadcast::channel(KEPT).0
}

/// Reads the lines of one workerd after another, those that were started in its place.
#[derive(Debug)]
pub(super) struct Output {
    mark: String,
    events: broadcast::Sender<Event>,
    // The user Workers whose invocations began last, the latest first.
    begun: Mutex<VecDeque<String>>,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// An invocation of a user Worker begins: its key.
    Began(String),
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
            Said::Began(key) => {
                let mut begun = self.begun();
                begun.retain(|known| *known != key);
                begun.push_front(key);
                begun.truncate(REMEMBERED);
            }
            Said::Event(event) => self.emit(event),
        }
    }

    /// Tells those who listen.
    pub(super) fn emit(&self, event: Event) {
        // Nobody has to listen.
        let _ = self.events.send(event);
    }

    /// The user Workers whose invocations began since this was called last, the latest first.
    pub(super) fn take_begun(&self) -> Vec<String> {
        self.begun().drain(..).collect()
    }

    fn begun(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line apart.
    fn read(&self, line: String) -> Said {
        let Some(rest) = line.strip_prefix(&self.mark) else {
            return Said::Event(Event::Line { worker: None, text: line });
        };
        if let Some(key) = rest.strip_prefix("> ") {
            return Said::Began(key.to_owned());
        }
        let (worker, text) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
        let record = serde_json::from_str::<serde_json::Value>(text);
        if record.is_ok_and(|record| record.get("event").is_some_and(|event| event == "decision")) {
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
        assert_eq!(output.read(format!("m4rk tidegate-outbound {RECORD}")), Said::Event(decision));
    }

    #[test]
    fn invocations_are_remembered_by_their_scripts_the_latest_first_and_not_without_end() {
        let output = Output::new("m4rk".to_owned(), events());
        for key in ["3/acme", "3/globex", "3/acme"] {
            output.hear(format!("m4rk> {key}"));
        }
        assert_eq!(output.take_begun(), ["3/acme", "3/globex"]);
        assert_eq!(output.take_begun(), [""; 0]);
        for number in 0..100 {
            output.hear(format!("m4rk> 3/w{number}"));
        }
        assert_eq!(output.take_begun().len(), REMEMBERED);
    }
}
