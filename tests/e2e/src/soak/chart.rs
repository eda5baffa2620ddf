//! The soak as a picture: memory and requests per second over time, as SVG.

use std::fmt::Write;

use crate::memory::{Line, Sample};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 24.0;

/// A panel with an axis of its own.
struct Panel {
    title: &'static str,
    top: f64,
    height: f64,
    /// The axis ends here, and begins at none.
    most: f64,
    /// Minutes.
    duration: f64,
}

/// Draws the samples, and the line that was fitted to the last half.
#[expect(clippy::cast_precision_loss, reason = "a picture")]
pub(crate) fn draw(title: &str, samples: &[Sample], line: Option<&Line>) -> String {
    let minutes = |sample: &Sample| sample.at.as_secs_f64() / 60.0;
    let memory: Vec<_> = samples.iter().map(|sample| (minutes(sample), sample.memory as f64 / 1_048_576.0)).collect();
    let rate: Vec<_> = samples
        .windows(2)
        .map(|pair| {
            let seconds = pair[1].at.saturating_sub(pair[0].at).as_secs_f64();
            (minutes(&pair[1]), pair[1].judged.saturating_sub(pair[0].judged) as f64 / seconds)
        })
        .collect();
    let duration = samples.last().map_or(1.0, minutes);
    let most = |points: &[(f64, f64)]| points.iter().map(|point| point.1).fold(1.0, f64::max);
    let panel = |title, top, height, points: &[(f64, f64)]| Panel {
        title,
        top,
        height,
        most: round_up(most(points)),
        duration,
    };
    let upper = panel("memory of workerd (MiB)", 72.0, 260.0, &memory);
    let lower = panel("requests per second", 392.0, 120.0, &rate);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} 572\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"572\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"28\" font-size=\"16\">{title}</text>\n"
    );
    upper.frame(&mut svg);
    upper.draw(&mut svg, &memory, "#1f6feb", "");
    if let Some(line) = line {
        let at = |minute: f64| (minute, (line.intercept + line.slope * minute) / 1024.0);
        upper.draw(&mut svg, &[at(duration / 2.0), at(duration)], "#d1242f", " stroke-dasharray=\"6 4\"");
    }
    lower.frame(&mut svg);
    lower.draw(&mut svg, &rate, "#57606a", "");
    let _ = writeln!(svg, "<text x=\"{}\" y=\"560\" text-anchor=\"middle\">minutes</text>\n</svg>", WIDTH / 2.0);
    svg
}

impl Panel {
    fn x(&self, minute: f64) -> f64 {
        LEFT + minute / self.duration * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - value / self.most)
    }

    /// Title, axes, and the numbers at them.
    fn frame(&self, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, self.top + self.height);
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{}</text>", self.top - 12.0, self.title);
        for quarter in 0..=4 {
            let value = self.most * f64::from(quarter) / 4.0;
            let y = self.y(value);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#d0d7de\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        for tenth in 0..=10 {
            let minute = self.duration * f64::from(tenth) / 10.0;
            let x = self.x(minute);
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {bottom}v4\" stroke=\"#57606a\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{minute:.1}</text>",
                bottom + 18.0
            );
        }
    }

    fn draw(&self, svg: &mut String, points: &[(f64, f64)], colour: &str, style: &str) {
        let points: Vec<String> =
            points.iter().map(|(minute, value)| format!("{:.1},{:.1}", self.x(*minute), self.y(*value))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{style}/>",
            points.join(" ")
        );
    }
}

/// The next of 1, 2, 4, 8, 10, 20 … that is not less, so that its quarters are round.
fn round_up(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 8.0, 10.0].map(|step| step * decade).into_iter().find(|step| *step >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        let ends = [0.7, 1.0, 3.0, 41.0, 790.0, 801.0].map(|most| format!("{:.1}", round_up(most)));
        assert_eq!(ends, ["0.8", "1.0", "4.0", "80.0", "800.0", "1000.0"]);
    }
}
