//! How the platform grows: with scripts, with isolates, with processes.
//!
//! `tidegate dev` runs in a process of its own, as it is shipped, so that its memory is its own; the clients and the upstream
//! are this process. What comes out is a page with tables and pictures, `docs/benchmarks`.

mod isolates;
mod page;
mod processes;
mod scripts;
mod session;
mod traffic;

use std::path::{Path, PathBuf};

use anyhow::Result;
use tidegate_e2e::{Reply, Upstream, repository};

use self::page::Page;

/// What is measured, and where it is written.
pub(crate) struct Plan {
    /// As many scripts, isolates and processes at most.
    pub(crate) most: usize,
    /// The folder for the page and its pictures.
    pub(crate) out: PathBuf,
}

impl Default for Plan {
    fn default() -> Self {
        Self { most: usize::MAX, out: repository().join("docs/benchmarks") }
    }
}

impl Plan {
    /// Those of the sizes that are not too many.
    fn up_to(&self, sizes: &[usize]) -> Vec<usize> {
        sizes.iter().copied().filter(|size| *size <= self.most).collect()
    }
}

pub(crate) async fn measure(plan: &Plan) -> Result<()> {
    let upstream = Upstream::start().await?;
    upstream.otherwise(|_| Reply::text("ok"));
    let mut page = Page::new()?;
    scripts::measure(plan, &upstream, &mut page).await?;
    isolates::measure(plan, &upstream, &mut page).await?;
    processes::measure(plan, &upstream, &mut page).await?;
    page.write(&plan.out)?;
    println!("written to {}", shown(&plan.out));
    Ok(())
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).display().to_string()
}
