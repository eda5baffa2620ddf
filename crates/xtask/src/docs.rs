//! What `docs/` holds of the tool's own knowledge: schemas, the reference, the API's description. A test of the command line compares them.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::process::{cargo, run, shown};
use crate::workspace::root;

/// What `tidegate schema` is asked, and where the answer belongs.
const WRITTEN: [(&str, &str); 5] = [
    ("policy", "schema/policy.schema.json"),
    ("test", "schema/test.schema.json"),
    ("decision", "schema/decision.schema.json"),
    ("openapi", "schema/openapi.json"),
    ("reference", "reference.md"),
];

/// Writes them anew.
pub(crate) fn write() -> Result<()> {
    run("building tidegate", cargo().args(["build", "--package", "tidegate-cli"]).current_dir(root()))?;
    let docs = root().join("docs");
    fs::create_dir_all(docs.join("schema")).context("cannot make docs/schema")?;
    for (what, file) in WRITTEN {
        let mut command = cargo();
        command.args(["run", "--quiet", "--package", "tidegate-cli", "--", "schema", what]).current_dir(root());
        let output = command.output().with_context(|| format!("cannot start {}", shown(&command)))?;
        if !output.status.success() {
            bail!("{} ended with {}: {}", shown(&command), output.status, String::from_utf8_lossy(&output.stderr));
        }
        fs::write(docs.join(file), output.stdout).with_context(|| format!("cannot write docs/{file}"))?;
    }
    Ok(())
}
