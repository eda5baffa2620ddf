//! What comes out: a page of Markdown with a table for each section, and a picture beside each.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tidegate_chart::{Chart, Line, Panel, Scale};

use crate::machine;

const OPENING: &str = "# How the platform grows

`cargo xtask bench platform growth` measures what is here and writes it anew. Times are milliseconds, memory is MiB resident. The figures were taken once, on a machine
that others use as well: compare rows, and not machines. Lookups and decisions beside those of others are on [a page of their own](../benchmarks.md).
";

/// The page, as it grows.
pub(super) struct Page {
    text: String,
    pictures: Vec<(String, String)>,
}

/// A table: a size, and the figures at it.
pub(super) struct Section {
    name: String,
    title: String,
    about: String,
    along: String,
    rows: Vec<(usize, Vec<(&'static str, f64)>)>,
}

/// A panel of the picture: which columns it shows.
pub(super) struct Curve<'c> {
    pub(super) title: &'c str,
    pub(super) columns: &'c [&'c str],
    pub(super) y: Scale,
}

impl Section {
    /// `name`: of its picture. `along`: what the sizes count.
    pub(super) fn new(name: &str, title: &str, about: &str, along: &str) -> Self {
        let [name, title, about, along] = [name, title, about, along].map(str::to_owned);
        Self { name, title, about, along, rows: Vec::new() }
    }

    /// All rows have the same figures in the same order.
    pub(super) fn add(&mut self, size: usize, figures: Vec<(&'static str, f64)>) {
        self.rows.push((size, figures));
    }

    fn table(&self) -> String {
        let names: Vec<_> =
            self.rows.first().into_iter().flat_map(|(_, figures)| figures).map(|(name, _)| *name).collect();
        let mut text = format!("| {} | {} |\n|{}\n", self.along, names.join(" | "), "---:|".repeat(names.len() + 1));
        for (size, figures) in &self.rows {
            let values: Vec<_> = figures.iter().map(|(_, value)| shown(*value)).collect();
            let _ = writeln!(text, "| {size} | {} |", values.join(" | "));
        }
        text
    }

    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    fn picture(&self, curves: &[Curve<'_>]) -> String {
        let line = |column: &str| {
            let value =
                |figures: &[(&str, f64)]| figures.iter().find(|(name, _)| *name == column).map(|(_, value)| *value);
            let points = self.rows.iter().filter_map(|(size, figures)| Some((*size as f64, value(figures)?)));
            Line::new(column, points.collect())
        };
        let panels = curves.iter().map(|curve| Panel {
            title: curve.title.to_owned(),
            along: self.along.clone(),
            height: 200.0,
            x: if self.rows.iter().any(|(size, _)| *size >= 100) { Scale::Logarithmic } else { Scale::Linear },
            y: curve.y,
            lines: curve.columns.iter().map(|column| line(column)).collect(),
        });
        Chart { title: self.title.clone(), panels: panels.collect() }.draw()
    }
}

impl Page {
    /// One that says which machine it is.
    pub(super) fn new() -> Result<Self> {
        Ok(Self { text: format!("{OPENING}\n{}\n", machine()?), pictures: Vec::new() })
    }

    pub(super) fn add(&mut self, section: &Section, curves: &[Curve<'_>]) {
        let picture = format!("{}.svg", section.name);
        let _ = write!(
            self.text,
            "\n## {}\n\n{}\n\n{}\n![{}]({picture})\n",
            section.title,
            section.about,
            section.table(),
            section.title
        );
        self.pictures.push((picture, section.picture(curves)));
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let page = [("README.md".to_owned(), self.text.clone())];
        for (name, text) in page.iter().chain(&self.pictures) {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// Processor, cores, memory, kernel, workerd.
fn machine() -> Result<String> {
    let facts = machine::facts()?;
    let [processor, cores, memory, kernel, workerd] =
        ["processor", "cores", "memory", "kernel", "workerd"].map(|name| facts.get(name).map_or("", String::as_str));
    Ok(format!("{processor}, {cores} cores, {memory}; {kernel}; {workerd}."))
}

/// With three digits.
fn shown(value: f64) -> String {
    let digits = [100.0, 10.0].into_iter().take_while(|bound| value < *bound).count();
    format!("{value:.digits$}")
}

/// Milliseconds.
pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Mebibytes.
#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
pub(super) fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
