//! Curves and bars as SVG: panels one above the other, each with axes of its own.
//!
//! No script, no font, no style sheet: what is drawn shows in a browser, on a code host and in a mail.

use std::fmt::Write;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 24.0;
/// Of the first panel's title from the top, and of each panel's from the one before.
const HEAD: f64 = 60.0;
const GAP: f64 = 72.0;

/// Of the names beside bars, and of a bar with the space to the next.
const NAMES: f64 = 320.0;
const BAR: f64 = 22.0;

/// What is drawn where a line has no colour of its own: blue, red, green, violet, grey, orange.
const COLOURS: [&str; 6] = ["#1f6feb", "#d1242f", "#1a7f37", "#8250df", "#57606a", "#bc4c00"];

/// A picture.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it is of.
    pub title: String,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

/// A part of it with its own axes. Both begin at none, or where they are logarithmic with the decade of the least value.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What its upright axis says, with the unit.
    pub title: String,
    /// What its level axis says, with the unit.
    pub along: String,
    /// In the units of the picture, which is 960 wide.
    pub height: f64,
    /// Of the level axis.
    pub x: Scale,
    /// Of the upright axis.
    pub y: Scale,
    /// What is drawn.
    pub lines: Vec<Line>,
}

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The same distance for the same difference.
    Linear,
    /// The same distance for the same ratio.
    Logarithmic,
}

/// A line through points.
#[derive(Clone, Debug)]
pub struct Line {
    /// Named where a panel has several.
    pub name: String,
    /// Along and up.
    pub points: Vec<(f64, f64)>,
    /// What was fitted or computed, in place of what was measured.
    pub dashed: bool,
}

impl Line {
    /// One of what was measured.
    pub fn new(name: &str, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), points, dashed: false }
    }
}

impl Chart {
    /// The picture as SVG.
    pub fn draw(&self) -> String {
        let height = HEAD + self.panels.iter().map(|panel| panel.height + GAP).sum::<f64>();
        let mut svg = start(&self.title, height);
        let mut top = HEAD + 12.0;
        for panel in &self.panels {
            Frame::new(panel, top).draw(panel, &mut svg);
            top += panel.height + GAP;
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// Bars beside names, one above the other: few values that differ much, on a logarithmic axis.
#[derive(Clone, Debug)]
pub struct Bars {
    /// What it is of.
    pub title: String,
    /// Groups of bars, from top to bottom, each with a title that says the unit.
    pub groups: Vec<Group>,
}

/// Bars that can be compared.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they say, with the unit.
    pub title: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Whose.
    pub name: String,
    /// How long.
    pub value: f64,
    /// The least and the most that were seen, where there were several.
    pub range: Option<(f64, f64)>,
    /// One of ours stands out.
    pub ours: bool,
}

impl Bars {
    /// The picture as SVG.
    pub fn draw(&self) -> String {
        let height = HEAD + self.groups.iter().map(Group::height).sum::<f64>();
        let mut svg = start(&self.title, height);
        let mut top = HEAD + 12.0;
        for group in &self.groups {
            group.draw(top, &mut svg);
            top += group.height();
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Group {
    fn height(&self) -> f64 {
        self.bars.iter().map(|_| BAR).sum::<f64>() + GAP
    }

    fn draw(&self, top: f64, svg: &mut String) {
        let ends = |bar: &Bar| bar.range.map_or([bar.value; 2], |(least, most)| [least, most]);
        let axis = Axis::around(Scale::Logarithmic, self.bars.iter().flat_map(ends));
        let x = |value: f64| NAMES + axis.share(value) * (WIDTH - NAMES - 2.0 * LEFT);
        let bottom = top + self.height() - GAP;
        let _ = writeln!(svg, "<text x=\"24\" y=\"{}\">{}</text>", top - 12.0, escaped(&self.title));
        for value in axis.ticks(0) {
            let at = x(value);
            let _ = writeln!(
                svg,
                "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#d0d7de\"/>\
                 <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                shown(value)
            );
        }
        let mut y = top;
        for bar in &self.bars {
            let colour = if bar.ours { COLOURS[0] } else { "#8c959f" };
            let (from, to, middle) = (x(axis.least), x(bar.value), y + BAR / 2.0);
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                NAMES - 8.0,
                middle + 4.0,
                escaped(&bar.name),
                y + 4.0,
                (to - from).max(1.0),
                BAR - 8.0,
                bar.range.map_or(to, |(_, most)| x(most)).max(to) + 8.0,
                middle + 4.0,
                shown(bar.value)
            );
            if let Some((least, most)) = bar.range {
                let _ = writeln!(svg, "<path d=\"M{:.1} {middle:.1}H{:.1}\" stroke=\"#24292f\"/>", x(least), x(most));
            }
            y += BAR;
        }
    }
}

/// Where the values of a panel are drawn.
struct Frame {
    x: Axis,
    y: Axis,
    top: f64,
    bottom: f64,
}

/// From the value at its one end to that at its other.
struct Axis {
    scale: Scale,
    least: f64,
    most: f64,
}

impl Frame {
    fn new(panel: &Panel, top: f64) -> Self {
        let values = |of: fn(&(f64, f64)) -> f64| panel.lines.iter().flat_map(|line| &line.points).map(of);
        let x = match panel.x {
            // To its last value, round or not.
            Scale::Linear => {
                Axis { scale: Scale::Linear, least: 0.0, most: values(|point| point.0).fold(0.0, f64::max) }
            }
            Scale::Logarithmic => Axis::around(Scale::Logarithmic, values(|point| point.0)),
        };
        Self { x, y: Axis::around(panel.y, values(|point| point.1)), top, bottom: top + panel.height }
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - self.y.share(value) * (self.bottom - self.top)
    }

    fn draw(&self, panel: &Panel, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, self.bottom);
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{}</text>", self.top - 12.0, escaped(&panel.title));
        for value in self.y.ticks(4) {
            let y = self.y(value);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#d0d7de\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                shown(value)
            );
        }
        for value in self.x.ticks(10) {
            let x = self.x(value);
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {bottom}v4\" stroke=\"#57606a\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 18.0,
                shown(value)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            WIDTH / 2.0,
            bottom + 36.0,
            escaped(&panel.along)
        );
        for (number, line) in panel.lines.iter().enumerate() {
            self.draw_line(line, COLOURS[number % COLOURS.len()], svg);
        }
        if panel.lines.len() > 1 {
            self.draw_names(&panel.lines, svg);
        }
    }

    fn draw_line(&self, line: &Line, colour: &str, svg: &mut String) {
        let places: Vec<_> = line.points.iter().map(|(x, y)| (self.x(*x), self.y(*y))).collect();
        let points: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let dashes = if line.dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dashes}/>",
            points.join(" ")
        );
        // Of few points each can be seen.
        if places.len() <= 20 && !line.dashed {
            for (x, y) in places {
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
            }
        }
    }

    /// At the right, above the panel.
    fn draw_names(&self, lines: &[Line], svg: &mut String) {
        let mut right = WIDTH - RIGHT;
        for (number, line) in lines.iter().enumerate().rev() {
            let colour = COLOURS[number % COLOURS.len()];
            let y = self.top - 12.0;
            let _ = writeln!(
                svg,
                "<text x=\"{right:.1}\" y=\"{y:.1}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
                escaped(&line.name)
            );
            right -= 7.0 * f64::from(u16::try_from(line.name.chars().count()).unwrap_or(u16::MAX)) + 16.0;
        }
    }
}

impl Axis {
    /// One that holds all values and ends at round numbers.
    fn around(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| scale == Scale::Linear || *value > 0.0) {
            least = least.min(value);
            most = most.max(value);
        }
        match scale {
            Scale::Linear => Self { scale, least: 0.0, most: round_up(most) },
            Scale::Logarithmic if most > 0.0 => {
                let least = 10_f64.powf(least.log10().floor());
                Self { scale, least, most: 10_f64.powf(most.log10().ceil()).max(least * 10.0) }
            }
            Scale::Logarithmic => Self { scale, least: 1.0, most: 10.0 },
        }
    }

    /// How far along a value is: from 0 to 1.
    fn share(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => value / self.most,
            Scale::Logarithmic => (value.max(self.least) / self.least).log10() / (self.most / self.least).log10(),
        };
        if share.is_finite() { share } else { 0.0 }
    }

    /// Where it has numbers: so many steps, or its decades.
    fn ticks(&self, steps: u32) -> Vec<f64> {
        match self.scale {
            Scale::Linear => (0..=steps).map(|step| self.most * f64::from(step) / f64::from(steps)).collect(),
            Scale::Logarithmic => {
                let mut ticks = vec![self.least];
                while let Some(last) = ticks.last().filter(|last| **last < self.most * 0.99) {
                    ticks.push(last * 10.0);
                }
                ticks
            }
        }
    }
}

/// The next of 1, 2, 4, 8, 10, 20 … that is not less, so that its quarters are round.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 8.0, 10.0].map(|step| step * decade).into_iter().find(|step| *step >= value).unwrap_or(value)
}

/// With three digits at most where it is no whole number, and millions as `25.3M`.
fn shown(value: f64) -> String {
    let (value, unit) = if value >= 1e6 { (value / 1e6, "M") } else { (value, "") };
    let digits = [100.0, 10.0, 1.0, 0.1].into_iter().take_while(|bound| value < *bound).count();
    let text = format!("{value:.digits$}");
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{short}{unit}")
}

/// The picture's frame and title. It brings its own ground, so that it reads on a dark page as on a light one.
fn start(title: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"24\" y=\"28\" font-size=\"16\">{}</text>\n",
        escaped(title)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        let ends = [0.7, 1.0, 3.0, 41.0, 790.0, 801.0].map(|most| format!("{:.1}", round_up(most)));
        assert_eq!(ends, ["0.8", "1.0", "4.0", "80.0", "800.0", "1000.0"]);
    }

    #[test]
    fn decades_are_as_far_from_each_other() {
        let axis = Axis::around(Scale::Logarithmic, [10.0, 300.0, 10_000.0].into_iter());
        assert_eq!(axis.ticks(4), [10.0, 100.0, 1000.0, 10_000.0]);
        let shares = [10.0, 100.0, 1000.0, 10_000.0].map(|value| format!("{:.2}", axis.share(value)));
        assert_eq!(shares, ["0.00", "0.33", "0.67", "1.00"]);
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 0.05, 0.125, 1.0, 2.5, 12.34, 250.0, 10_000.0, 25_277_000.0].map(shown);
        assert_eq!(numbers, ["0", "0.05", "0.125", "1", "2.5", "12.3", "250", "10000", "25.3M"]);
    }

    #[test]
    fn a_chart_without_values_is_empty_and_no_fault() {
        let panel = |scale| Panel {
            title: "a < b".to_owned(),
            along: "n".to_owned(),
            height: 100.0,
            x: scale,
            y: scale,
            lines: vec![Line::new("none", Vec::new())],
        };
        let panels = vec![panel(Scale::Linear), panel(Scale::Logarithmic)];
        let svg = Chart { title: "nothing".to_owned(), panels }.draw();
        assert!(svg.contains("a &lt; b") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let group = Group { title: "a < b".to_owned(), bars: Vec::new() };
        let svg = Bars { title: "nothing".to_owned(), groups: vec![group] }.draw();
        assert!(svg.contains("a &lt; b") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn ten_times_as_much_is_as_much_longer_from_bar_to_bar() {
        let bar = |value| Bar { name: "one".to_owned(), value, range: None, ours: false };
        let bars = [1.0, 10.0, 100.0, 1000.0].map(bar).to_vec();
        let svg = Bars { title: "bars".to_owned(), groups: vec![Group { title: "ns".to_owned(), bars }] }.draw();
        let widths: Vec<f64> =
            svg.split("width=\"").skip(2).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
        assert_eq!(widths, [1.0, 160.0, 320.0, 480.0], "{svg}");
    }
}
