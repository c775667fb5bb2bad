//! A moment as mail writes it (RFC 5322 section 3.3).

use core::fmt;

/// A moment and the zone to tell it in: `Mon, 23 Nov 2026 10:00:00 +0100`.
///
/// Time is handed in, as everywhere: the seconds of a Unix clock, and how many
/// minutes the local clock is ahead of UTC. The year has four digits and the zone
/// is a number (RFC 5321 section 4.4); leap seconds are not known to such a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date {
    /// Seconds since the epoch, as the local clock would count them.
    local: i64,
    /// Minutes ahead of UTC.
    zone: i16,
}

const DAY: i64 = 86400;

/// 1900-01-01 and 10000-01-01, in seconds since the epoch.
const YEARS: core::ops::Range<i64> = -25567 * DAY..2_932_897 * DAY;

impl Date {
    /// The moment `seconds` after the beginning of 1970 in UTC, told `zone`
    /// minutes ahead of it.
    ///
    /// # Errors
    ///
    /// The zone is a day or more away, or the year is not within 1900 and 9999.
    pub fn new(seconds: i64, zone: i16) -> Result<Self, InvalidDate> {
        let local = seconds.checked_add(i64::from(zone).saturating_mul(60)).filter(|local| YEARS.contains(local));
        match local {
            Some(local) if zone.unsigned_abs() < 24 * 60 => Ok(Self { local, zone }),
            _ => Err(InvalidDate),
        }
    }
}

/// Year, month from 1 and day from 1 of the day that is so many after
/// 1970-01-01.
///
/// In years that begin in March a leap day is the last day, and the lengths of
/// the months repeat every five: 31, 30, 31, 30, 31. Four hundred years have 146097
/// days.
#[expect(clippy::arithmetic_side_effects, reason = "years of four digits fit everywhere")]
fn civil(days: i64) -> (i64, i64, i64) {
    // From the first of March of the year 0.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    // Days that are in leap years only do not make a year longer.
    let year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (400 * era + year_of_era + year, month, day)
}

/// ```abnf
/// date-time = day-name "," FWS day FWS month FWS 4DIGIT FWS time-of-day FWS zone
/// ```
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WEEK: &[u8] = b"ThuFriSatSunMonTueWed";
        const YEAR: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
        let (days, seconds) = (self.local.div_euclid(DAY), self.local.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let (week, month) = (name(WEEK, days.rem_euclid(7)), name(YEAR, month.saturating_sub(1)));
        let sign = if self.zone < 0 { '-' } else { '+' };
        let (zone_hours, zone_minutes) = (self.zone.unsigned_abs() / 60, self.zone.unsigned_abs() % 60);
        write!(f, "{week}, {day} {month} {year:04} {hour:02}:{minute:02}:{second:02} ")?;
        write!(f, "{sign}{zone_hours:02}{zone_minutes:02}")
    }
}

/// Names are three letters long.
fn name(names: &'static [u8], number: i64) -> &'static str {
    let name = usize::try_from(number).ok().and_then(|number| names.chunks(3).nth(number));
    name.and_then(|name| core::str::from_utf8(name).ok()).unwrap_or_default()
}

/// A moment that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a date needs a year from 1900 to 9999 and a zone of less than a day")]
pub struct InvalidDate;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// R5321-4.4-e.
    #[test]
    fn known_dates() {
        for (seconds, zone, text) in [
            (0, 0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (-1, 0, "Wed, 31 Dec 1969 23:59:59 +0000"),
            (951_782_400, 0, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (951_868_799, 60, "Wed, 1 Mar 2000 00:59:59 +0100"),
            (1_000_000_000, 0, "Sun, 9 Sep 2001 01:46:40 +0000"),
            (1_611_617_346, -300, "Mon, 25 Jan 2021 18:29:06 -0500"),
            (1_709_164_800, -1, "Wed, 28 Feb 2024 23:59:00 -0001"),
            (1_735_689_599, 345, "Wed, 1 Jan 2025 05:44:59 +0545"),
            (2_147_483_647, -570, "Mon, 18 Jan 2038 17:44:07 -0930"),
            (4_107_542_399, 0, "Sun, 28 Feb 2100 23:59:59 +0000"),
            (4_107_542_400, 0, "Mon, 1 Mar 2100 00:00:00 +0000"),
            (-2_208_988_800, 0, "Mon, 1 Jan 1900 00:00:00 +0000"),
            (253_402_300_799, 0, "Fri, 31 Dec 9999 23:59:59 +0000"),
            (253_402_300_799, -1439, "Fri, 31 Dec 9999 00:00:59 -2359"),
        ] {
            assert_eq!(Date::new(seconds, zone).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_written() {
        for (seconds, zone) in [
            (-2_208_988_801, 0),
            (-2_208_988_800, -1),
            (253_402_300_800, 0),
            (253_402_300_799, 1),
            (0, 1440),
            (0, -1440),
            (0, i16::MIN),
            (i64::MAX, 1439),
            (i64::MIN, -1439),
        ] {
            assert_eq!(Date::new(seconds, zone), Err(InvalidDate), "{seconds} {zone}");
        }
    }

    /// Against a calendar that turns one leaf a day.
    #[test]
    fn every_day_of_eight_thousand_years() {
        let (mut year, mut month, mut day) = (1900, 1, 1);
        for days in YEARS.start / DAY..YEARS.end / DAY {
            assert_eq!(civil(days), (year, month, day), "{days}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (10000, 1, 1));
    }
}
