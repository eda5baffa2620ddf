//! What a thing may hold, when several write to it and some are never answered.
//!
//! A [`Register`] keeps each write with the time at which it was asked for and the time at which it was acknowledged.
//! A write can be the last one unless another that was acknowledged began after it had been acknowledged itself. So a
//! write that nobody answered may have happened or not, two that overlapped may have come in either order, and one that
//! was acknowledged can only have been followed by what was asked for later or at the same time.

use std::fmt::Debug;

/// A moment: each is later than those that were taken before.
pub(crate) type Moment = u64;

/// One thing, and all that may be in it.
#[derive(Debug)]
pub(crate) struct Register<T> {
    writes: Vec<Write<T>>,
}

#[derive(Debug)]
struct Write<T> {
    value: T,
    begun: Moment,
    acknowledged: Option<Moment>,
}

impl<T: Clone + Debug + PartialEq> Register<T> {
    /// One that holds a value, and nothing else.
    pub(crate) fn of(value: T) -> Self {
        Self { writes: vec![Write { value, begun: 0, acknowledged: Some(0) }] }
    }

    /// A write is asked for.
    pub(crate) fn begin(&mut self, value: T, now: Moment) {
        self.writes.push(Write { value, begun: now, acknowledged: None });
    }

    /// The write that began then was acknowledged.
    pub(crate) fn acknowledge(&mut self, begun: Moment, now: Moment) {
        for write in self.writes.iter_mut().filter(|write| write.begun == begun) {
            write.acknowledged = Some(now);
        }
    }

    /// What it may hold, as seen by who asked at that moment and has the answer now.
    pub(crate) fn possible(&self, asked: Moment) -> impl Iterator<Item = &T> {
        let is_over = move |write: &Write<T>| {
            self.writes.iter().any(|other| {
                // What was acknowledged before the question was asked is seen by it.
                other.acknowledged.is_some_and(|acknowledged| acknowledged < asked)
                    && write.acknowledged.is_some_and(|acknowledged| acknowledged < other.begun)
            })
        };
        self.writes.iter().filter(move |write| !is_over(write)).map(|write| &write.value)
    }

    /// What it holds, where that is certain.
    pub(crate) fn certain(&self) -> Option<&T> {
        let mut possible = self.possible(Moment::MAX);
        possible.next().filter(|_| possible.next().is_none())
    }

    /// It was looked at while nobody wrote: that is what it holds.
    pub(crate) fn settle(&mut self, seen: T) {
        *self = Self::of(seen);
    }
}

#[test]
fn a_register_may_hold_what_no_acknowledged_write_came_after() {
    let mut register = Register::of("first");
    let possible = |register: &Register<&'static str>| register.possible(Moment::MAX).copied().collect::<Vec<_>>();
    register.begin("lost", 1);
    assert_eq!(possible(&register), ["first", "lost"], "nobody knows yet");
    assert_eq!(register.certain(), None);
    register.begin("second", 2);
    register.acknowledge(2, 3);
    assert_eq!(possible(&register), ["lost", "second"], "what was never answered may still come");
    assert_eq!(register.possible(2).copied().collect::<Vec<_>>(), ["first", "lost", "second"], "asked before");
    register.begin("third", 4);
    register.begin("fourth", 5);
    register.acknowledge(4, 6);
    register.acknowledge(5, 7);
    assert_eq!(possible(&register), ["lost", "third", "fourth"], "they overlapped");
    register.settle("third");
    assert_eq!(register.certain(), Some(&"third"));
}
