//! What a request says of what its client has already: `If-None-Match`, `Range`, `If-Range` (RFC 9110 §13, §14).

use std::ops::Range;

/// Whether `If-None-Match` names an entity tag, weak or strong.
pub(super) fn names(if_none_match: &str, tag: &str) -> bool {
    if_none_match
        .split(',')
        .map(str::trim)
        .any(|named| named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag)
}

/// Which part of a file is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: nothing else was said, or nothing that can be understood or that there is one answer to.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// Bytes that it does not have.
    None,
}

/// The part of a file of `size` bytes that `Range` asks for, if the client's copy is what `If-Range` says it is.
pub(super) fn part(range: Option<&str>, if_range: Option<&str>, tag: &str, size: u64) -> Part {
    // Files have no date; and a weak tag says nothing of single bytes.
    if if_range.is_some_and(|named| named.trim() != tag) {
        return Part::Whole;
    }
    let Some((unit, ranges)) = range.and_then(|range| range.split_once('=')) else { return Part::Whole };
    // Several ranges are several answers in one; the whole is another right answer.
    if !unit.trim().eq_ignore_ascii_case("bytes") || ranges.contains(',') {
        return Part::Whole;
    }
    match ranges.trim().split_once('-') {
        Some(("", last)) => match number(last) {
            None => Part::Whole,
            Some(0) => Part::None,
            // There is no way to say which bytes of an empty file these are.
            Some(_) if size == 0 => Part::Whole,
            Some(last) => Part::Bytes(size.saturating_sub(last)..size),
        },
        Some((first, last)) => match (number(first), number(last)) {
            (None, _) => Part::Whole,
            (Some(_), None) if !last.is_empty() => Part::Whole,
            (Some(first), Some(last)) if last < first => Part::Whole,
            (Some(first), _) if first >= size => Part::None,
            (Some(first), last) => Part::Bytes(first..last.map_or(size, |last| size.min(last.saturating_add(1)))),
        },
        None => Part::Whole,
    }
}

/// Digits alone; what is beyond all files is as good as the largest number.
fn number(digits: &str) -> Option<u64> {
    let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_whichever_form_it_is_named() {
        let cases = [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("\"b\",W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("\"A\"", false),
            ("", false),
        ];
        for (header, named) in cases {
            assert_eq!(names(header, "\"a\""), named, "{header}");
        }
    }

    #[test]
    fn a_range_is_a_part_the_whole_or_nothing_that_there_is() {
        let cases = [
            ("bytes=0-", 10, Part::Bytes(0..10)),
            ("bytes=0-0", 10, Part::Bytes(0..1)),
            ("bytes=3-5", 10, Part::Bytes(3..6)),
            ("bytes=9-", 10, Part::Bytes(9..10)),
            ("bytes=3-99", 10, Part::Bytes(3..10)),
            ("bytes=3-18446744073709551615", 10, Part::Bytes(3..10)),
            ("bytes=3-99999999999999999999999", 10, Part::Bytes(3..10)),
            ("bytes=-3", 10, Part::Bytes(7..10)),
            ("bytes=-10", 10, Part::Bytes(0..10)),
            ("bytes=-99", 10, Part::Bytes(0..10)),
            ("BYTES = 1-2", 10, Part::Bytes(1..3)),
            ("bytes=10-", 10, Part::None),
            ("bytes=99999999999999999999999-", 10, Part::None),
            ("bytes=-0", 10, Part::None),
            ("bytes=0-", 0, Part::None),
            ("bytes=-5", 0, Part::Whole),
            ("bytes=5-3", 10, Part::Whole),
            ("bytes=0-1,3-4", 10, Part::Whole),
            ("bytes=", 10, Part::Whole),
            ("bytes=-", 10, Part::Whole),
            ("bytes=a-b", 10, Part::Whole),
            ("bytes=1-b", 10, Part::Whole),
            ("bytes=+1-2", 10, Part::Whole),
            ("bytes=1--2", 10, Part::Whole),
            ("bytes 1-2", 10, Part::Whole),
            ("lines=1-2", 10, Part::Whole),
            ("", 10, Part::Whole),
        ];
        for (range, size, expected) in cases {
            assert_eq!(part(Some(range), None, "\"a\"", size), expected, "{range} of {size}");
        }
        let cases = [
            ("\"a\"", Part::Bytes(1..3)),
            ("W/\"a\"", Part::Whole),
            ("\"b\"", Part::Whole),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Part::Whole),
        ];
        for (if_range, expected) in cases {
            assert_eq!(part(Some("bytes=1-2"), Some(if_range), "\"a\"", 10), expected, "{if_range}");
        }
        assert_eq!(part(None, Some("\"a\""), "\"a\"", 10), Part::Whole);
    }
}
