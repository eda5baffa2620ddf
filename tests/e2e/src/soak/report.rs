//! What the soak came to: in words, as a picture, and as a verdict.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use tidegate_chart::{self as chart, Chart, Panel, Scale};

use crate::books::Tally;
use crate::memory::{Line, Sample};

/// Until then memory grows whatever is served: heaps find their size, connections and tokens are kept for the first time.
const SETTLED: Duration = Duration::from_mins(5);

/// Prints and draws it. An error if anything was wrong, or memory grows.
pub(crate) fn conclude(samples: &[Sample], tally: &Tally, out: &Path) -> Result<()> {
    print_traffic(samples, tally)?;
    let line = Line::of_the_last_half(samples);
    let grows = print_memory(samples, line.as_ref())?;
    let minutes = samples.last().map_or(0.0, |sample| sample.at.as_secs_f64() / 60.0);
    let slope = line.as_ref().map(|line| format!("{:.0} ± {:.0} KiB/min", line.slope, line.standard_error));
    let title = format!(
        "{} requests in {minutes:.0} min, {} wrong; memory over the last half {}",
        tally.judged,
        tally.wrong,
        slope.as_deref().unwrap_or("not fitted")
    );
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(out, picture(title, samples, line.as_ref()).draw())
        .with_context(|| format!("cannot write {}", out.display()))?;
    println!("drawn in {}", out.display());
    for fault in &tally.faults {
        eprintln!("wrong: {fault}");
    }
    if tally.wrong > 0 {
        bail!("{} were wrong; the first are above", tally.wrong);
    }
    if grows {
        bail!("workerd's memory grows");
    }
    Ok(())
}

/// Memory and requests per second over time, and the line that was fitted to the last half.
#[expect(clippy::cast_precision_loss, reason = "a picture")]
fn picture(title: String, samples: &[Sample], line: Option<&Line>) -> Chart {
    let minutes = |sample: &Sample| sample.at.as_secs_f64() / 60.0;
    let memory = samples.iter().map(|sample| (minutes(sample), sample.memory as f64 / 1_048_576.0)).collect();
    let rate = samples.windows(2).map(|pair| {
        let seconds = pair[1].at.saturating_sub(pair[0].at).as_secs_f64();
        (minutes(&pair[1]), pair[1].judged.saturating_sub(pair[0].judged) as f64 / seconds)
    });
    let end = samples.last().map_or(0.0, minutes);
    let fitted = line.map(|line| {
        let at = |minute: f64| (minute, (line.intercept + line.slope * minute) / 1024.0);
        chart::Line { name: "fitted".to_owned(), points: vec![at(end / 2.0), at(end)], dashed: true }
    });
    let panel = |title: &str, height, lines| Panel {
        title: title.to_owned(),
        along: "minutes".to_owned(),
        height,
        x: Scale::Linear,
        y: Scale::Linear,
        lines,
    };
    let memory = chart::Line::new("measured", memory);
    let rate = chart::Line::new("measured", rate.collect());
    Chart {
        title,
        panels: vec![
            panel("memory of workerd (MiB)", 260.0, [memory].into_iter().chain(fitted).collect()),
            panel("requests per second", 120.0, vec![rate]),
        ],
    }
}

fn print_traffic(samples: &[Sample], tally: &Tally) -> Result<()> {
    println!("{} requests judged, {} wrong", tally.judged, tally.wrong);
    println!("{:.0} requests per second", rate(samples)?);
    for (kind, count) in &tally.errands {
        println!("  {count:>9} {kind:?}");
    }
    for ((effect, reason), count) in &tally.answers {
        println!("  {count:>9} {effect:?} {}", reason.as_str());
    }
    println!("{} tokens verified, each once", tally.tokens);
    Ok(())
}

/// Says what memory did, and whether it grows.
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn print_memory(samples: &[Sample], line: Option<&Line>) -> Result<bool> {
    let (first, last) = samples.first().zip(samples.last()).context("no samples")?;
    let middle = &samples[samples.len() / 2];
    let [first, in_the_middle, last] = [first, middle, last].map(|sample| sample.memory as f64 / 1_048_576.0);
    println!("workerd: {first:.1} MiB at the start, {in_the_middle:.1} in the middle, {last:.1} at the end");
    let Some(line) = line else {
        println!("too short for a slope");
        return Ok(false);
    };
    let grows = middle.at >= SETTLED && !line.is_within_noise();
    let verdict = match (middle.at < SETTLED, grows) {
        (true, _) => "not judged: memory settles within the first 5 minutes, so soak for 10 or more",
        (_, true) => "it grows",
        (_, false) => "within noise",
    };
    println!("slope over the last half: {:.0} ± {:.0} KiB/min: {verdict}", line.slope, line.standard_error);
    let visible = line.least_visible();
    let of_a_request = visible * 1024.0 / 60.0 / rate(samples)?;
    println!(
        "growth below {visible:.0} KiB/min, {of_a_request:.0} bytes a request, would not have been told from noise"
    );
    Ok(grows)
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn rate(samples: &[Sample]) -> Result<f64> {
    let last = samples.last().context("no samples")?;
    Ok(last.judged as f64 / last.at.as_secs_f64())
}
