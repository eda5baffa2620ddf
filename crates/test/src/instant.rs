//! Points in time as operators write them.

use toml::value::{Date, Datetime, Offset, Time};

/// Seconds since 1970-01-01T00:00:00Z.
pub type Seconds = i64;

/// What `--at` takes.
pub const FORM: &str = "`YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`";

/// Reads an instant; a date alone is its first second in UTC.
pub fn parse(text: &str) -> Result<Seconds, String> {
    // TOML's own dates take a space for the `T`, offsets and fractions; the contract knows two forms.
    let form = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    if !form.clone().eq(*b"0000-00-00") && !form.eq(*b"0000-00-00T00:00:00Z") {
        return Err(format!("`{text}` is not a point in time; write {FORM}"));
    }
    text.parse()
        .ok()
        .and_then(|datetime| from_toml(&datetime))
        .ok_or_else(|| format!("`{text}` is not in the calendar"))
}

/// The instant of a TOML date, or of a date and time with offset `Z`; `None` for the other kinds of date.
pub fn from_toml(datetime: &Datetime) -> Option<Seconds> {
    let days = days_since_1970(datetime.date?);
    match (datetime.time, datetime.offset) {
        (None, None) => Some(days * 86_400),
        (Some(Time { hour, minute, second, .. }), Some(Offset::Z)) => {
            let second = i64::from(second.unwrap_or(0));
            Some(days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + second)
        }
        _ => None,
    }
}

/// The instant that it is.
pub fn now() -> Seconds {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// The date of a day, counted from 1970-01-01: `2026-12-31`.
pub fn date(day: i64) -> String {
    // The way back from `days_since_1970`, by the same author.
    let day = day + 719_468;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// An instant in the longer form, `2026-11-22T00:55:40Z`.
pub fn text(instant: Seconds) -> String {
    let (days, second) = (instant.div_euclid(86_400), instant.rem_euclid(86_400));
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{}T{hour:02}:{minute:02}:{:02}Z", date(days), second % 60)
}

/// Days in the proleptic Gregorian calendar, counted in eras of 400 years that begin in March, so that the leap day comes
/// last (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_1970(date: Date) -> i64 {
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        assert_eq!(parse("1970-01-01"), Ok(0));
        assert_eq!(parse("2000-03-01"), Ok(951_868_800));
        assert_eq!(parse("2024-02-29"), Ok(1_709_164_800));
        assert_eq!(parse("2026-11-22T00:55:40Z"), Ok(1_795_308_940));
        assert_eq!(parse("1969-12-31T23:59:59Z"), Ok(-1));
    }

    #[test]
    fn what_is_written_is_read_as_the_same_instant() {
        for day in (-700_000_i64..2_900_000).step_by(97) {
            let instant = day * 86_400 + day.rem_euclid(86_400);
            let written = text(instant);
            // Four digits are all that the form has.
            if written.len() == 20 && !written.starts_with('-') {
                assert_eq!(parse(&written), Ok(instant), "{written}");
            }
        }
        assert_eq!(text(1_795_308_940), "2026-11-22T00:55:40Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "",
            "now",
            "2026-1-1",
            "2026-02-29",
            "2026-13-01",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "2026-01-01t00:00:00z",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01T00:00:00+01:00",
            "1795308940",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
