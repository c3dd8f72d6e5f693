//! Stacked bar charts of days. A template draws them as SVG, and the style sheet colors them.

use super::shown::grouped;

/// In SVG user units, without the labels around the bars.
pub(super) const WIDTH: i64 = 720;
pub(super) const HEIGHT: i64 = 150;
const GAP: i64 = 4;

pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    /// Y positions and labels.
    pub(super) gridlines: Vec<(i64, String)>,
}

pub(super) struct Bar {
    pub(super) x: i64,
    pub(super) width: i64,
    /// From bottom to top.
    pub(super) segments: Vec<Segment>,
    /// The tooltip, also for screen readers.
    pub(super) title: String,
    /// Relative to the base path.
    pub(super) href: String,
    /// The label below the bar, usually empty.
    pub(super) tick: String,
}

pub(super) struct Segment {
    pub(super) y: i64,
    pub(super) height: i64,
    /// A CSS class.
    pub(super) class: &'static str,
}

/// The data of one bar.
pub(super) struct Day {
    /// With their CSS classes, from bottom to top.
    pub(super) values: Vec<(i64, &'static str)>,
    pub(super) title: String,
    pub(super) href: String,
    pub(super) tick: String,
}

impl Chart {
    pub(super) fn new(days: Vec<Day>) -> Chart {
        let sum = |day: &Day| day.values.iter().map(|(value, _)| value).sum::<i64>();
        let top = scale(days.iter().map(sum).max().unwrap_or(0));
        let slot = WIDTH / i64::try_from(days.len()).unwrap_or(1).max(1);
        // Values above zero stay visible.
        let height = |value: i64| match value {
            0 => 0,
            _ => (value * HEIGHT / top).max(2),
        };
        let mut bars = Vec::with_capacity(days.len());
        for (at, day) in days.into_iter().enumerate() {
            let mut y = HEIGHT;
            let mut segments = Vec::new();
            for (value, class) in day.values {
                let height = height(value);
                if height > 0 {
                    y -= height;
                    segments.push(Segment { y, height, class });
                }
            }
            bars.push(Bar {
                x: at as i64 * slot + GAP / 2,
                width: slot - GAP,
                segments,
                title: day.title,
                href: day.href,
                tick: day.tick,
            });
        }
        let gridlines = [(HEIGHT / 2, top / 2), (0, top)];
        Chart {
            bars,
            gridlines: gridlines.map(|(y, value)| (y, grouped(value))).to_vec(),
        }
    }
}

/// The smallest of 2, 4, 6, 8, 10, 20, 40, … that is not below the largest value.
fn scale(largest: i64) -> i64 {
    let mut unit = 1;
    loop {
        for round in [2, 4, 6, 8, 10] {
            if largest <= round * unit {
                return round * unit;
            }
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_round_and_covers_the_largest_value() {
        let scales = [0, 1, 3, 10, 11, 99, 4_001].map(scale);
        assert_eq!(scales, [2, 2, 4, 10, 20, 100, 6_000]);
    }

    #[test]
    fn small_values_are_visible_and_bars_stay_inside() {
        let day = |values: Vec<(i64, &'static str)>| Day {
            values,
            title: String::new(),
            href: String::new(),
            tick: String::new(),
        };
        let chart = Chart::new(vec![
            day(vec![(1_000_000, "a"), (1, "b")]),
            day(vec![(0, "a")]),
        ]);
        let segments = &chart.bars[0].segments;
        assert!(segments.len() == 2 && segments.iter().all(|s| s.height >= 2 && s.y >= -2));
        assert!(chart.bars[1].segments.is_empty());
    }
}
