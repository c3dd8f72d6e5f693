//! Parsing, formatting and counting calendar dates.

use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

/// Parses exactly `YYYY-MM-DD`, years 1 to 9999; hand-written because every check parses one.
pub fn read(text: &str) -> Option<Date> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0u16, |n, c| {
            c.is_ascii_digit().then(|| n * 10 + u16::from(c - b'0'))
        })
    };
    let year = number(&[y1, y2, y3, y4]).filter(|year| *year >= 1)?;
    let month = u8::try_from(number(&[m1, m2])?).ok()?;
    let day = u8::try_from(number(&[d1, d2])?).ok()?;
    Date::from_calendar_date(year.into(), month.try_into().ok()?, day).ok()
}

/// `YYYY-MM-DD`.
pub fn format(date: Date) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        date.year(),
        u8::from(date.month()),
        date.day()
    )
}

/// `2026-11-23 14:05` in the operator's offset.
pub fn moment(at: OffsetDateTime, offset: UtcOffset) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
    at.to_offset(offset).format(format).unwrap_or_default()
}

/// `UTC+02:00`.
pub fn offset_name(offset: UtcOffset) -> String {
    let format = format_description!("UTC[offset_hour sign:mandatory]:[offset_minute]");
    offset.format(format).unwrap_or_default()
}

/// The date in the operator's UTC offset at that time, in Unix seconds.
pub fn of_unix(seconds: i64, offset: UtcOffset) -> Date {
    let moment = OffsetDateTime::from_unix_timestamp(seconds);
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.to_offset(offset).date()
}
