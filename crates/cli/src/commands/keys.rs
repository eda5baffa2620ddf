//! `tidegate keys`: signing keys and what upstreams verify with.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::cli::Format;
use crate::files::{self, Access, MIB};
use crate::json;
use crate::keys::{Algorithm, Jwk, Jwks, KeyError, KeyPair, public_keys};
use crate::outcome::{Failure, Outcome};
use crate::terminal::{StdoutError, Terminal};

/// Make signing keys and the JWKS that upstreams verify with
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(New),
    Jwks(JwksArgs),
}

/// Make a key pair
///
/// With --out the private key (PKCS#8 PEM, for its owner's eyes alone) goes to FILE, the public key (JWK) beside it with
/// the extension `.jwk`, and to stdout. Without it the private key goes to stdout, to be piped into
/// `npx wrangler secret put NAME`, and the public key to stderr. No file is ever overwritten.
///
/// An HS256 key has no public half; make one with `openssl rand -base64 48`.
#[derive(Debug, clap::Args)]
struct New {
    /// The signature algorithm.
    #[arg(long, value_enum, ignore_case = true)]
    alg: Algorithm,

    /// The key's name in tokens and in the JWKS, the policy's `kid`; the key's thumbprint by default.
    #[arg(long, value_parser = parse_kid)]
    kid: Option<String>,

    /// Where the private key goes, instead of stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Print the JWKS of public keys
///
/// Each FILE is a PEM file with a private or public key, a JWK, or a JWKS; private halves are never printed. Name the old
/// and the new key while tokens of both are about. A PEM file does not say its key's name: it is that of the `.jwk` file
/// beside it, as `keys new --out` writes it, or given as NAME=FILE, or else the key's thumbprint.
#[derive(Debug, clap::Args)]
struct JwksArgs {
    /// Key files.
    #[arg(required = true, value_name = "[NAME=]FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    match &args.command {
        Command::New(args) => new(args, terminal),
        Command::Jwks(args) => jwks(args, format, terminal),
    }
}

fn parse_kid(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("a key's name is not empty and holds no control characters".to_owned());
    }
    Ok(text.to_owned())
}

fn new(args: &New, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let pair = KeyPair::new(args.alg, args.kid.as_deref())?;
    let public = serde_json::to_string(&pair.public).map_err(|_| KeyError::Encode)?;
    let Some(out) = &args.out else {
        terminal.line(pair.private_pem.trim_end())?;
        terminal.note(format!("public key, for `tidegate keys jwks`: {public}"));
        return Ok(Outcome::Fine);
    };
    let beside = jwk_beside(out);
    if beside == *out {
        return Err(Failure::new(
            format!("`{}` is where the public key goes", out.display()),
            "name the private key's file otherwise, `.pem` at the end",
        ));
    }
    // The public half first: it can be thrown away if the private one finds no place.
    files::write_new(&beside, format!("{public}\n").as_bytes(), Access::Everyone)?;
    if let Err(error) = files::write_new(out, pair.private_pem.as_bytes(), Access::Owner) {
        let _ = std::fs::remove_file(&beside);
        return Err(error.into());
    }
    terminal.line(public)?;
    terminal.note(format!(
        "private key in {}, public key in {}; next: `npx wrangler secret put NAME < {}`",
        out.display(),
        beside.display(),
        out.display()
    ));
    Ok(Outcome::Fine)
}

fn jwks(args: &JwksArgs, format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut keys = Vec::new();
    for file in &args.files {
        let (name, path) = name_and_path(file);
        let found = read_keys(&path)?;
        if name.is_some() && found.len() > 1 {
            return Err(Failure::found(
                format!("`{}` holds several keys, and one name is given for all", path.display()),
                "leave the name out",
            ));
        }
        keys.extend(found.into_iter().map(|key| key.named(name.as_deref())));
    }
    let set = Jwks::new(keys)?;
    match format {
        Format::Human => {
            terminal.line(serde_json::to_string_pretty(&set).map_err(|error| StdoutError(error.into()))?)?;
        }
        Format::Json => json::write_line(terminal.data(), &set)?,
    }
    Ok(Outcome::Fine)
}

/// Takes `NAME=FILE` apart, unless there is a file of that very name.
fn name_and_path(argument: &Path) -> (Option<String>, PathBuf) {
    let split = argument.to_str().filter(|_| !argument.exists()).and_then(|text| text.split_once('='));
    match split {
        Some((name, path)) if !name.is_empty() => (Some(name.to_owned()), path.into()),
        _ => (None, argument.to_owned()),
    }
}

fn read_keys(path: &Path) -> Result<Vec<Jwk>, Failure> {
    let text = zeroize::Zeroizing::new(files::read_text(path, MIB)?);
    let keys = public_keys(&text).map_err(|why| KeyError::NotAKey { path: path.to_owned(), why })?;
    let [key] = keys.as_slice() else { return Ok(keys) };
    // A name beside the file counts only if it is of this very key.
    let beside = files::read_text(&jwk_beside(path), MIB).ok().and_then(|text| public_keys(&text).ok());
    let named = beside.into_iter().flatten().find(|beside| beside.is_same_key(key));
    let is_pem = text.contains("-----BEGIN");
    Ok(vec![key.clone().named(named.filter(|_| is_pem).map(|named| named.kid).as_deref())])
}

fn jwk_beside(path: &Path) -> PathBuf {
    path.with_extension("jwk")
}
