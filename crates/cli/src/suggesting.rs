//! Arguments whose usual values shells may suggest, while any other is still heard: a list of possible values would refuse it in
//! clap's words.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};

/// A parser, and the values to suggest.
#[derive(Clone, Copy)]
pub(crate) struct Suggesting<P>(pub(crate) P, pub(crate) fn() -> Vec<&'static str>);

impl<P: TypedValueParser> TypedValueParser for Suggesting<P> {
    type Value = P::Value;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<P::Value, Error> {
        self.0.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.1().into_iter().map(PossibleValue::new)))
    }
}
