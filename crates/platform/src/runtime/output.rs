//! What comes out of workerd's pipes, and who may have written it.
//!
//! All Workers write to the same two pipes. Lines of trusted Workers begin with a *mark*, a random word that user Workers
//! do not know; so a user Worker can write what it likes and still makes no decision record.

use super::Event;

/// Reads the lines of one workerd.
#[derive(Debug)]
pub(super) struct Output {
    mark: String,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An invocation of a user Worker begins: its key.
    Began(String),
    /// Something to pass on.
    Event(Event),
}

impl Output {
    pub(super) fn new(mark: String) -> Self {
        Self { mark }
    }

    /// Takes a line apart.
    pub(super) fn read(&self, line: String) -> Said {
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
        let output = Output::new("m4rk".to_owned());
        let line = Said::Event(Event::Line { worker: None, text: RECORD.to_owned() });
        assert_eq!(output.read(RECORD.to_owned()), line);
        let decision = Event::Decision { worker: "tidegate-outbound".to_owned(), record: RECORD.to_owned() };
        assert_eq!(output.read(format!("m4rk tidegate-outbound {RECORD}")), Said::Event(decision));
    }

    #[test]
    fn the_beginning_of_an_invocation_names_the_script() {
        let output = Output::new("m4rk".to_owned());
        assert_eq!(output.read("m4rk> 3/acme".to_owned()), Said::Began("3/acme".to_owned()));
    }
}
