//! Bars of a chart, drawn as SVG by a template; their colours come from the style sheet.

use super::shown::grouped;

/// In the units of the drawing.
pub(super) const WIDTH: i64 = 720;
pub(super) const HEIGHT: i64 = 150;
const GAP: i64 = 4;

/// A chart of days.
pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    /// Half and whole of the scale: where the line is, and its words.
    pub(super) lines: Vec<(i64, String)>,
}

/// A day.
pub(super) struct Bar {
    pub(super) x: i64,
    pub(super) width: i64,
    /// From the ground up.
    pub(super) pieces: Vec<Piece>,
    /// What the reader is told about it.
    pub(super) words: String,
    /// Where a click on it leads, below the base path.
    pub(super) href: String,
    /// Below the bar; empty for most.
    pub(super) label: String,
}

/// A part of a bar.
pub(super) struct Piece {
    pub(super) y: i64,
    pub(super) height: i64,
    /// Its style class.
    pub(super) class: &'static str,
}

/// A day before it is drawn.
pub(super) struct Day {
    pub(super) numbers: Vec<(i64, &'static str)>,
    pub(super) words: String,
    pub(super) href: String,
    pub(super) label: String,
}

impl Chart {
    pub(super) fn of(days: Vec<Day>) -> Chart {
        let sum = |day: &Day| day.numbers.iter().map(|(number, _)| number).sum::<i64>();
        let top = scale(days.iter().map(sum).max().unwrap_or(0));
        let slot = WIDTH / i64::try_from(days.len()).unwrap_or(1).max(1);
        // What is there is seen, however little it is.
        let height = |number: i64| match number {
            0 => 0,
            _ => (number * HEIGHT / top).max(2),
        };
        let mut bars = Vec::with_capacity(days.len());
        for (at, day) in days.into_iter().enumerate() {
            let mut y = HEIGHT;
            let mut pieces = Vec::new();
            for (number, class) in day.numbers {
                let height = height(number);
                if height > 0 {
                    y -= height;
                    pieces.push(Piece { y, height, class });
                }
            }
            bars.push(Bar {
                x: at as i64 * slot + GAP / 2,
                width: slot - GAP,
                pieces,
                words: day.words,
                href: day.href,
                label: day.label,
            });
        }
        let lines = [(HEIGHT / 2, top / 2), (0, top)];
        Chart {
            bars,
            lines: lines.map(|(y, number)| (y, grouped(number))).to_vec(),
        }
    }
}

/// The round even number at or above the largest: 2, 4, 6, 8, 10, 20, 40, …
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
    fn a_scale_is_round_and_holds_the_largest() {
        let scales = [0, 1, 3, 10, 11, 99, 4_001].map(scale);
        assert_eq!(scales, [2, 2, 4, 10, 20, 100, 6_000]);
    }

    #[test]
    fn what_is_there_is_seen_and_stays_inside() {
        let day = |numbers: Vec<(i64, &'static str)>| Day {
            numbers,
            words: String::new(),
            href: String::new(),
            label: String::new(),
        };
        let chart = Chart::of(vec![
            day(vec![(1_000_000, "a"), (1, "b")]),
            day(vec![(0, "a")]),
        ]);
        let pieces = &chart.bars[0].pieces;
        assert!(pieces.len() == 2 && pieces.iter().all(|p| p.height >= 2 && p.y >= -2));
        assert!(chart.bars[1].pieces.is_empty());
    }
}
