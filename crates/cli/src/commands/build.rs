//! `tidegate build`: a Worker and a policy, ready to deploy.

use std::path::PathBuf;

use serde::Serialize;

use crate::bundle::{Bundle, Size, Sizes, find};
use crate::cli::Format;
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;
use crate::{json, load};

/// What a Worker may weigh, unpacked, on every plan.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Put a policy into a built Worker, ready to deploy
///
/// Takes the folder of a built Worker (`index.js`, `index_bg.wasm` and what lies beside them) and writes it to another folder,
/// with the policy's table in the Wasm as its custom section `tidegate.policy`. No Rust is needed and no build is run. The
/// output folder is replaced in one step; on any error the old one stays. `npx wrangler deploy` takes it from there.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_POLICY", default_value = "policies/policy.toml")]
    policy: PathBuf,

    /// The built Worker, as `worker-build` writes it [default: `build/worker`, or that of the npm package `tidegate-worker` in `node_modules`]
    #[arg(long, value_name = "DIR", env = "TIDEGATE_WORKER")]
    worker: Option<PathBuf>,

    /// Where the result goes; `main` in wrangler.toml is its `index.js`.
    #[arg(long, value_name = "DIR", env = "TIDEGATE_OUT", default_value = "build/outbound")]
    out: PathBuf,
}

/// What was built.
#[derive(Debug, Serialize)]
struct Built<'b> {
    out: String,
    digest: &'b str,
    #[serde(flatten)]
    sizes: Sizes,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let output = load::compile(&args.policy, terminal)?;
    let digest = load::digest(&output.table)?;
    let bundle = Bundle::new(&find::worker(args.worker.as_deref())?, &output.table)?;
    bundle.install(&args.out)?;
    let built = Built { out: args.out.display().to_string(), digest: &digest, sizes: bundle.sizes() };
    match format {
        Format::Json => json::write_line(terminal.data(), &built)?,
        Format::Human => {
            terminal.line(format_args!("{:<8}{:>12}{:>12}", "", "raw", "gzipped"))?;
            for (name, size) in [("wasm", built.sizes.wasm), ("table", built.sizes.table), ("total", built.sizes.total)]
            {
                let Size { raw, gzip } = size;
                terminal.line(format_args!("{name:<8}{raw:>12}{gzip:>12}"))?;
            }
            terminal.note(format!("{}: policy {digest}", built.out));
        }
    }
    if built.sizes.total.raw > LARGEST {
        terminal
            .note(format!("warning: {} bytes are more than the 64 MiB that a Worker may have", built.sizes.total.raw));
    }
    Ok(Outcome::Fine)
}
