//! The manifest of an upload session: which files there will be, and in which batches those come that are missing.

use std::collections::{BTreeMap, HashMap};

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::body;
use super::super::error::{Fault, shown};
use super::super::upload::MIB;
use crate::store::ManifestEntry;

/// The most files of one version.
const MOST_FILES: usize = 20_000;
/// The largest file, in bytes.
pub(super) const LARGEST_FILE: usize = 25 * MIB;
/// The longest path, in bytes.
const LONGEST_PATH: usize = 4096;
/// The longest hash, in bytes. Cloudflare's has 32 hexadecimal digits; what they mean is the client's affair.
const LONGEST_HASH: usize = 64;
/// The most that one batch holds, in bytes before their encoding, and in files. Clients hold three in memory at a time.
const LARGEST_BUCKET: u64 = 40 * MIB as u64;
const MOST_OF_BUCKET: usize = 1000;

/// The files that an upload session is for.
#[derive(Deserialize, ToSchema)]
pub(super) struct Manifest {
    /// By their paths; each segment may be percent-encoded.
    manifest: BTreeMap<String, ManifestFile>,
}

/// A file that is to be uploaded.
#[derive(Deserialize, ToSchema)]
struct ManifestFile {
    /// What the client calls its content, the same for the same content; 32 hexadecimal digits as a rule.
    #[schema(pattern = "^[0-9A-Za-z_-]{1,64}$")]
    hash: String,
    /// Bytes.
    #[schema(maximum = 26_214_400)]
    size: u64,
}

/// Reads the body that begins a session.
pub(super) fn parse(json: &[u8]) -> Result<Vec<ManifestEntry>, Fault> {
    let Manifest { manifest } = body::parse(json)?;
    if manifest.len() > MOST_FILES {
        return Err(refused(format!(
            "the manifest has {} files, and a version has at most {MOST_FILES}",
            manifest.len()
        )));
    }
    let mut paths = HashMap::with_capacity(manifest.len());
    let mut sizes = HashMap::with_capacity(manifest.len());
    let mut entries = Vec::with_capacity(manifest.len());
    for (given, ManifestFile { hash, size }) in manifest {
        let path = path(&given)?;
        check_hash(&given, &hash)?;
        if size > LARGEST_FILE as u64 {
            return Err(refused(format!(
                "`{}` has {size} bytes, and a file has at most {LARGEST_FILE} (25 MiB)",
                shown(&given)
            )));
        }
        if let Some(other) = sizes.insert(hash.clone(), size).filter(|other| *other != size) {
            return Err(refused(format!("the hash `{hash}` is that of a file of {other} bytes and of one of {size}")));
        }
        if let Some(other) = paths.insert(path.clone(), given.clone()) {
            return Err(refused(format!("`{}` and `{}` are the same path", shown(&other), shown(&given))));
        }
        entries.push(ManifestEntry { path, hash, size });
    }
    Ok(entries)
}

/// Batches of hashes, each to be uploaded by one request.
pub(super) fn buckets(missing: Vec<(String, u64)>) -> Vec<Vec<String>> {
    let mut buckets: Vec<Vec<String>> = Vec::new();
    let mut left = 0;
    for (hash, size) in missing {
        if let Some(bucket) = buckets.last_mut().filter(|bucket| bucket.len() < MOST_OF_BUCKET && size <= left) {
            bucket.push(hash);
            left -= size;
        } else {
            buckets.push(vec![hash]);
            left = LARGEST_BUCKET.saturating_sub(size);
        }
    }
    buckets
}

/// A path as requests mean it: `wrangler` encodes each segment, which is undone once. The first `/` may be left out.
fn path(given: &str) -> Result<String, Fault> {
    let cannot = |why: &str| refused(format!("`{}` cannot be the path of a file: {why}", shown(given)));
    let decoded = percent_decode_str(given).decode_utf8().map_err(|_| cannot("it is no UTF-8 when it is decoded"))?;
    let path = if decoded.starts_with('/') { decoded.into_owned() } else { format!("/{decoded}") };
    if path == "/" {
        return Err(cannot("it names no file"));
    }
    if path.len() > LONGEST_PATH {
        return Err(cannot("it has more than 4096 bytes"));
    }
    if path.chars().any(char::is_control) {
        return Err(cannot("it holds a control character"));
    }
    Ok(path)
}

/// A hash is a name, and travels in headers, fields and URLs.
fn check_hash(path: &str, hash: &str) -> Result<(), Fault> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=LONGEST_HASH).contains(&hash.len()) && hash.bytes().all(plain) {
        return Ok(());
    }
    Err(refused(format!(
        "`{}` has the hash `{}`: a hash has 1 to {LONGEST_HASH} letters, digits, `-` and `_`, as a rule 32 hexadecimal \
         digits",
        shown(path),
        shown(hash)
    )))
}

fn refused(why: String) -> Fault {
    Fault::Invalid(why)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(manifest: &Value) -> Result<Vec<ManifestEntry>, Fault> {
        parse(json!({ "manifest": manifest }).to_string().as_bytes())
    }

    #[test]
    fn paths_are_what_requests_mean_by_them() {
        for (given, path) in [
            ("/index.html", "/index.html"),
            ("/a%20b/%C3%A9.html", "/a b/é.html"),
            ("/a b/é.html", "/a b/é.html"),
            ("/100%25.html", "/100%.html"),
            ("/100%.html", "/100%.html"),
            ("/a%2520b", "/a%20b"),
            ("foo", "/foo"),
        ] {
            let entries = read(&json!({ given: { "hash": "0f", "size": 3 } })).unwrap();
            assert_eq!(entries, [ManifestEntry { path: path.to_owned(), hash: "0f".to_owned(), size: 3 }], "{given}");
        }
    }

    #[test]
    fn manifests_that_cannot_be_say_which_file_it_is() {
        let file = json!({ "hash": "0f", "size": 3 });
        let cases = [
            (json!({ "/": file }), "`/` cannot be the path of a file"),
            (json!({ "/a%ff": file }), "`/a%ff` cannot be the path of a file: it is no UTF-8"),
            (json!({ "/a\0": file }), "control character"),
            (json!({ format!("/{}", "a".repeat(4096)): file }), "more than 4096 bytes"),
            (json!({ "/a b": file, "/a%20b": file }), "are the same path"),
            (json!({ "a": file, "/a": file }), "are the same path"),
            (json!({ "/a": { "hash": "", "size": 3 } }), "`/a` has the hash ``"),
            (json!({ "/a": { "hash": "0f\r\n", "size": 3 } }), "`/a` has the hash `0f\\r\\n`"),
            (json!({ "/a": { "hash": "a".repeat(65), "size": 3 } }), "1 to 64"),
            (json!({ "/a": { "hash": "0f", "size": 26_214_401 } }), "`/a` has 26214401 bytes, and a file has at most"),
            (
                json!({ "/a": { "hash": "0f", "size": 3 }, "/b": { "hash": "0f", "size": 4 } }),
                "3 bytes and of one of 4",
            ),
        ];
        for (manifest, says) in cases {
            let refused = read(&manifest).unwrap_err();
            assert!(matches!(&refused, Fault::Invalid(why) if why.contains(says)), "{manifest}: {refused:?}");
        }
        for unreadable in [json!([]), json!(null), json!({ "/a": "0f" }), json!({ "/a": { "hash": "0f", "size": -1 } })]
        {
            assert!(matches!(read(&unreadable), Err(Fault::Unreadable(_))), "{unreadable}");
        }
        let many = |count: usize| (0..count).map(|number| (format!("/{number}"), file.clone())).collect::<Value>();
        assert_eq!(read(&many(MOST_FILES)).unwrap().len(), MOST_FILES);
        assert!(matches!(read(&many(MOST_FILES + 1)), Err(Fault::Invalid(why)) if why.contains("20001 files")));
    }

    #[test]
    fn buckets_are_bounded_in_bytes_and_in_files_and_hold_each_hash_once() {
        let sizes = |sizes: &[u64]| {
            let named = sizes.iter().enumerate().map(|(number, mib)| (number.to_string(), mib * MIB as u64)).collect();
            buckets(named).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert!(buckets(Vec::new()).is_empty());
        assert_eq!(sizes(&[0, 0, 0]), [3]);
        assert_eq!(sizes(&[25, 25, 15, 1]), [1, 2, 1]);
        assert_eq!(sizes(&[20, 20, 0, 1]), [3, 1]);
        assert_eq!(sizes(&vec![0; 2500]), [1000, 1000, 500]);
    }
}
