//! Lists that were read before: an unchanged list is not parsed again.
//!
//! # The idea
//! What a list holds follows from its bytes, its format, what is skipped, and the program that reads it. The digest of
//! all these (SHA-256) is the name of a file with what came of it: names, canonical and in order, and counts of skipped
//! lines. The list's file is still read and digested each time: a time stamp says less than bytes do. Lists with
//! findings are not kept, so that findings come from one place only.
//!
//! ```text
//!   seal      HMAC-SHA-256 over all that follows   32
//!   key       the digest                           32   which list this is, whatever the file is called
//!   lengths   u32: ends and text of `names`, of `alone`, of `beneath`; kinds skipped
//!   skipped   u64 for each kind
//!   ends      u32, text: of each of the three sets, see `Names`
//! ```
//!
//! # What is trusted
//! Nothing that this user did not write. Folders travel: with a repository, with the caches of a CI run. Who could leave a file here could take
//! names from a list that everybody has reviewed. So each file is sealed with a secret that never leaves its user, and one
//! that is not sealed so, or is damaged, or is another list's, is as good as not there: the list is read, and the file
//! is written anew. A folder that cannot be read or written is no error, either: then lists are read.
//!
//! # What it costs
//! As many bytes as the names have, and four a name. The files that were not asked for longest go when there are more than
//! [`MAX_BYTES`].

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use std::{env, fmt};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::list::{Contents, Kind};
use crate::names::Names;
use crate::syntax::ListFormat;

/// Lists that are shorter are read as fast as they are fetched: what reads them is digested first, at every run.
const MIN_TEXT: usize = 4 << 20;

/// What all files together may take up.
const MAX_BYTES: u64 = 256 << 20;

/// The name of a finished file is its key and ends so.
const FINISHED: &str = "list";

/// The name of a file that is being written begins and ends so.
const UNFINISHED: [&str; 2] = [".tidegate-", ".part"];

/// What says that a folder is one of these, and tells tools that collect files to pass it over.
const TAG: &str = "CACHEDIR.TAG";
const TAGGED: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# Lists that Tidegate has read. https://bford.info/cachedir/\n";

/// After so long, nobody writes to an unfinished file any more.
const ABANDONED: Duration = Duration::from_hours(1);

/// A folder with lists that were read before.
#[derive(Clone)]
pub struct Cache {
    folder: PathBuf,
    secret: Secret,
    /// In bytes; lists that are shorter are not kept.
    shortest: usize,
}

/// Fetches the secret of the user; `None` where there is none to be had. Only those are asked for it who keep a list.
pub type Secret = fn() -> Option<[u8; 32]>;

/// Which list it is, and who reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; 32]);

impl Cache {
    /// The cache in a folder, which need not be there yet. What was sealed with another secret is not believed.
    pub const fn new(folder: PathBuf, secret: Secret) -> Self {
        Self { folder, secret, shortest: MIN_TEXT }
    }

    /// What a list holds, if it was read before; else it is read now, and kept for the next time.
    pub(crate) fn contents(
        &self,
        format: ListFormat,
        skip: &[Kind],
        text: &str,
        read: impl FnOnce() -> (Contents, bool),
    ) -> Contents {
        if text.len() < self.shortest {
            return read().0;
        }
        let Some(key) = Key::of(format, skip, text) else { return read().0 };
        let Some(secret) = (self.secret)() else { return read().0 };
        if let Some(known) = self.get(key, &secret, skip) {
            return known;
        }
        let (contents, is_sound) = read();
        if is_sound {
            // Nobody misses what could not be kept.
            let _ = self.put(key, &secret, &contents);
        }
        contents
    }

    fn get(&self, key: Key, secret: &[u8; 32], skip: &[Kind]) -> Option<Contents> {
        let path = self.path(key);
        let file = open(&path)?;
        let length = file.metadata().ok().filter(|metadata| metadata.len() <= MAX_BYTES)?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(length).ok()?);
        (&file).take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        let (seal, sealed) = bytes.split_first_chunk::<32>()?;
        seal_of(sealed, secret).verify(seal.into()).ok()?;
        let (_, rest) = sealed.split_first_chunk::<32>().filter(|(it, _)| **it == key.0)?;
        let contents = decode(rest, skip)?;
        // The time says what was asked for last.
        let _ = file.set_modified(SystemTime::now());
        Some(contents)
    }

    fn put(&self, key: Key, secret: &[u8; 32], contents: &Contents) -> io::Result<()> {
        let mut sealed = key.0.to_vec();
        encode(contents, &mut sealed);
        let seal = seal_of(&sealed, secret).finalize().into_bytes();
        self.make_folder()?;
        self.make_room(seal.len() as u64 + sealed.len() as u64);
        let [prefix, suffix] = UNFINISHED;
        let mut file = tempfile::Builder::new().prefix(prefix).suffix(suffix).tempfile_in(&self.folder)?;
        file.write_all(&seal)?;
        file.write_all(&sealed)?;
        file.persist(self.path(key))?;
        Ok(())
    }

    fn path(&self, key: Key) -> PathBuf {
        let hex = key.0.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        let name: String = hex.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
        self.folder.join(name).with_extension(FINISHED)
    }

    /// Makes the folder. One that is there is taken only if it is marked as such or empty: whoever names the folder may be
    /// wrong, and a project may have a link in its place.
    fn make_folder(&self) -> io::Result<()> {
        let tag = self.folder.join(TAG);
        if is_tagged(&tag) {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        if fs::read_dir(&self.folder)?.next().is_some() {
            return Err(io::Error::other("the folder is somebody else's"));
        }
        fs::write(tag, TAGGED)?;
        fs::write(self.folder.join(".gitignore"), "*\n")
    }

    /// Removes what was not asked for longest until so many bytes more have room, and what nobody will finish.
    fn make_room(&self, bytes: u64) {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Some(part) = Part::of(&path) else { continue };
            let Some(metadata) = entry.metadata().ok().filter(fs::Metadata::is_file) else { continue };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            match part {
                Part::Finished => kept.push((used, metadata.len(), path)),
                Part::Unfinished if used.elapsed().is_ok_and(|age| age > ABANDONED) => {
                    let _ = fs::remove_file(path);
                }
                Part::Unfinished => {}
            }
        }
        kept.sort_unstable();
        let mut total = kept.iter().map(|(_, length, _)| length).sum::<u64>() + bytes;
        for (_, length, path) in kept {
            if total <= MAX_BYTES {
                break;
            }
            // Another run may have been faster, or may be reading it: that one has it open.
            let _ = fs::remove_file(path);
            total -= length;
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Opens a file. Of anything else, a pipe above all, not even that is tried: whoever opens one waits for who writes to it.
fn open(path: &Path) -> Option<File> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    File::open(path).ok()
}

fn is_tagged(tag: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = open(tag).map(|file| file.take(TAGGED.len() as u64 + 1).read_to_end(&mut bytes));
    read.is_some_and(|read| read.is_ok()) && bytes == TAGGED.as_bytes()
}

/// A file of the cache's own. All others are left alone, wherever the folder is.
enum Part {
    Finished,
    Unfinished,
}

impl Part {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let is_key =
            |stem: &str| stem.len() == 64 && stem.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let [prefix, suffix] = UNFINISHED;
        if name.strip_suffix(FINISHED).and_then(|stem| stem.strip_suffix('.')).is_some_and(is_key) {
            Some(Self::Finished)
        } else if name.strip_prefix(prefix).is_some_and(|rest| rest.ends_with(suffix)) {
            Some(Self::Unfinished)
        } else {
            None
        }
    }
}

impl Key {
    /// `None` for programs that cannot say what they are.
    fn of(format: ListFormat, skip: &[Kind], text: &str) -> Option<Self> {
        let mut digest = Sha256::new().chain_update(program()?).chain_update(format!("{format:?}")).chain_update([0]);
        for kind in skip {
            digest.update(kind.name());
            digest.update([0]);
        }
        Some(Self(digest.chain_update([0]).chain_update(text).finalize().into()))
    }
}

/// The digest of the program that is running. Another program may read lists in another way, down to the Unicode tables it was
/// built with, and a number that is to be counted up by hand would be forgotten once.
fn program() -> Option<&'static [u8; 32]> {
    static PROGRAM: OnceLock<Option<[u8; 32]>> = OnceLock::new();
    let read = || {
        let mut digest = Sha256::new();
        let mut file = File::open(env::current_exe().ok()?).ok()?;
        let mut bytes = vec![0; 1 << 20];
        loop {
            match file.read(&mut bytes) {
                Ok(0) => return Some(digest.finalize().into()),
                Ok(length) => digest.update(&bytes[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    };
    PROGRAM.get_or_init(read).as_ref()
}

fn seal_of(sealed: &[u8], secret: &[u8; 32]) -> Hmac<Sha256> {
    let hmac = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
    hmac.chain_update(sealed)
}

fn encode(contents: &Contents, bytes: &mut Vec<u8>) {
    let sets = [&contents.names, &contents.alone, &contents.beneath].map(Names::as_parts);
    let mut length = |length: usize| {
        bytes.extend(u32::try_from(length).expect("a list's file has 64 MiB at most").to_le_bytes());
    };
    for (text, ends) in sets {
        length(ends.len());
        length(text.len());
    }
    length(contents.skipped.len());
    for (_, lines) in &contents.skipped {
        bytes.extend((*lines as u64).to_le_bytes());
    }
    for (text, ends) in sets {
        bytes.extend(ends.iter().flat_map(|end| end.to_le_bytes()));
        bytes.extend(text.as_bytes());
    }
}

/// `None` of all that is not exactly what was encoded.
fn decode(mut bytes: &[u8], skip: &[Kind]) -> Option<Contents> {
    let mut lengths = [0; 7];
    for length in &mut lengths {
        *length = u32::from_le_bytes(*take(&mut bytes)?) as usize;
    }
    if lengths[6] != skip.len() {
        return None;
    }
    let mut skipped = Vec::new();
    for kind in skip {
        skipped.push((kind.name().to_owned(), usize::try_from(u64::from_le_bytes(*take(&mut bytes)?)).ok()?));
    }
    let mut names = |ends: usize, text: usize| {
        let (ends, rest) = bytes.split_at_checked(ends.checked_mul(4)?)?;
        let (text, rest) = rest.split_at_checked(text)?;
        bytes = rest;
        let ends = ends.as_chunks::<4>().0.iter().map(|&end| u32::from_le_bytes(end)).collect();
        Names::from_parts(String::from_utf8(text.to_vec()).ok()?, ends)
    };
    let [names, alone, beneath] =
        [names(lengths[0], lengths[1])?, names(lengths[2], lengths[3])?, names(lengths[4], lengths[5])?];
    bytes.is_empty().then_some(Contents { names, alone, beneath, skipped })
}

fn take<'b, const N: usize>(bytes: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    const SKIP: [Kind; 2] = [Kind::Exception, Kind::Rewrite];

    /// A zone with all kinds of names and of skipped lines, long enough to be kept; what it holds depends on the number.
    fn zone(number: usize) -> String {
        let lines = (0..1_000).map(|n| {
            format!("b{n}.{number}.x CNAME .\n*.c{n}.x CNAME .\na{n}.x CNAME .\n*.a{n}.x CNAME .\n{n}.x CNAME rpz-passthru.\n")
        });
        let text: String = lines.collect();
        assert!(text.len() > SHORTEST);
        text
    }

    /// What a zone holds, and whether it was read for that.
    fn contents(cache: &Cache, text: &str) -> (Contents, bool) {
        let mut was_read = false;
        let contents = cache.contents(ListFormat::Rpz, &SKIP, text, || {
            was_read = true;
            let mut findings = Vec::new();
            let contents = crate::list::read(ListFormat::Rpz, &SKIP, FileId(0), text, &mut findings);
            (contents, findings.is_empty())
        });
        (contents, was_read)
    }

    fn kept(folder: &tempfile::TempDir) -> Vec<PathBuf> {
        let files = fs::read_dir(folder.path().join("cache")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == FINISHED)).collect()
    }

    fn cache(folder: &tempfile::TempDir, secret: Secret) -> Cache {
        Cache { shortest: SHORTEST, ..Cache::new(folder.path().join("cache"), secret) }
    }

    /// So that tests need not read megabytes.
    const SHORTEST: usize = 64 << 10;

    const MINE: Secret = || Some([1; 32]);

    #[test]
    fn an_unchanged_list_is_read_once_and_holds_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, MINE);
        let text = zone(1);
        let (first, was_read) = contents(&cache, &text);
        assert!(was_read);
        assert!(![&first.names, &first.alone, &first.beneath].iter().any(|names| names.is_empty()));
        assert_eq!(first.skipped, [("exception".to_owned(), 1_000), ("rewrite".to_owned(), 0)]);
        assert_eq!(contents(&cache, &text), (first, false));
        assert!(contents(&cache, &zone(2)).1, "another list");
        let other_skip = cache.contents(ListFormat::Rpz, &SKIP[..1], &text, || (Contents::default(), false));
        assert!(other_skip.is_empty(), "other lines are passed over");
        let other_format = cache.contents(ListFormat::Domains, &SKIP, &text, || (Contents::default(), false));
        assert!(other_format.is_empty(), "another format");
    }

    #[test]
    fn what_is_damaged_or_of_another_list_or_of_somebody_else_is_not_believed_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let text = zone(1);
        let (expected, _) = contents(&cache(&folder, MINE), &text);
        let [file] = &kept(&folder)[..] else { panic!("one list was kept") };
        let whole = fs::read(file).unwrap();

        let mut spoiled: Vec<(String, Vec<u8>)> = Vec::new();
        for at in (0..whole.len()).step_by(whole.len() / 11).chain([0, 31, 32, 63, 64, whole.len() - 1]) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            spoiled.push((format!("byte {at}"), bytes));
        }
        for length in [0, 31, 32, 64, 91, whole.len() / 2, whole.len() - 1] {
            spoiled.push((format!("{length} bytes"), whole[..length].to_vec()));
        }
        spoiled.push(("a byte too many".to_owned(), [&whole[..], b"x"].concat()));
        contents(&cache(&folder, MINE), &zone(2));
        let other = kept(&folder).into_iter().find(|path| path != file).unwrap();
        spoiled.push(("another list".to_owned(), fs::read(&other).unwrap()));
        fs::remove_file(file).unwrap();
        contents(&cache(&folder, || Some([2; 32])), &text);
        spoiled.push(("another secret".to_owned(), fs::read(file).unwrap()));

        for (what, bytes) in spoiled {
            fs::write(file, bytes).unwrap();
            let (found, was_read) = contents(&cache(&folder, MINE), &text);
            assert!(was_read && found == expected, "{what}");
            assert_eq!(fs::read(file).unwrap(), whole, "{what}");
        }
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
        assert!(contents(&cache(&folder, MINE), &text).1, "a folder");
    }

    #[test]
    fn what_does_not_decode_is_nothing_even_if_it_is_sealed() {
        let names = |names: &[&str]| names.iter().collect::<Names>();
        let contents = Contents { names: names(&["a", "b"]), alone: names(&["c"]), ..Contents::default() };
        let mut whole = Vec::new();
        encode(&contents, &mut whole);
        assert_eq!(decode(&whole, &[]), Some(contents));
        assert_eq!(decode(&whole, &SKIP), None);
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length], &[]), None, "{length}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                // Some other names, or nothing; what they are, the seal says.
                let _ = decode(&bytes, &[]);
            }
        }
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_as_good_as_none_and_so_is_one_without_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let text = zone(1);
        for _ in 0..2 {
            assert!(contents(&cache(&folder, || None), &text).1);
        }
        fs::write(folder.path().join("cache"), "a file").unwrap();
        for _ in 0..2 {
            assert!(contents(&cache(&folder, MINE), &text).1);
        }
    }

    #[test]
    fn lists_with_findings_and_short_lists_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        for text in [zone(1) + "no zone\n", "a.example CNAME .\n".to_owned()] {
            for _ in 0..2 {
                assert!(contents(&cache(&folder, MINE), &text).1);
            }
        }
        assert!(!folder.path().join("cache").exists());
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first_and_what_nobody_finishes_goes_too() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, MINE);
        let texts = [zone(1), zone(2)];
        for text in &texts {
            contents(&cache, text);
        }
        let long_ago = SystemTime::now() - Duration::from_secs(1_000_000);
        for path in kept(&folder) {
            File::open(path).unwrap().set_modified(long_ago).unwrap();
        }
        assert!(!contents(&cache, &texts[0]).1, "asked for just now");
        let used = fs::metadata(kept(&folder)[0].as_path()).unwrap().len();
        let other = format!("{}.list", "1".repeat(64));
        for (name, age) in [(other.as_str(), 100), (".tidegate-2.part", 100), (".tidegate-3.part", 0)] {
            let file = File::create(folder.path().join("cache").join(name)).unwrap();
            // No block of it is on the disk.
            file.set_len(if age == 100 { MAX_BYTES - 3 * used } else { 1 }).unwrap();
            file.set_modified(SystemTime::now() - ABANDONED * age).unwrap();
        }
        contents(&cache, &zone(3));
        assert!(!contents(&cache, &texts[0]).1, "still there");
        let exists = |name: &str| folder.path().join("cache").join(name).exists();
        assert!(exists(&other) && exists(".tidegate-3.part"));
        assert!(!exists(".tidegate-2.part"), "abandoned");
        contents(&cache, &zone(4));
        assert!(!contents(&cache, &texts[0]).1 && contents(&cache, &texts[1]).1, "the one that was not asked for went");
    }

    #[test]
    fn files_that_are_not_its_own_neither_go_nor_count() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, MINE);
        let text = zone(1);
        contents(&cache, &text);
        let (hex, long_ago) = ("1".repeat(64), SystemTime::now() - ABANDONED * 100);
        let others = ["shopping.list", "film.part", ".part", ".tidegate-1.list", "tidegate-1.part"].map(str::to_owned);
        let upper = "A".repeat(64);
        let nearly = [
            format!("{hex}.part"),
            format!("{hex}.LIST"),
            format!("{hex}1.list"),
            format!("{}.list", &hex[1..]),
            format!("x{}.list", &hex[1..]),
            format!("{upper}.list"),
        ];
        let names = [&others[..], &nearly].concat();
        for name in &names {
            let file = File::create(folder.path().join("cache").join(name)).unwrap();
            file.set_len(MAX_BYTES).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        contents(&cache, &zone(2));
        for name in &names {
            assert!(folder.path().join("cache").join(name).exists(), "{name}");
        }
        assert!(!contents(&cache, &text).1, "they do not take its room, either");
    }

    #[test]
    fn a_folder_that_holds_something_else_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let text = zone(1);
        let place = folder.path().join("cache");
        let names = || -> Vec<_> { fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect() };
        fs::create_dir(&place).unwrap();
        // As Cargo's own folder is marked.
        for (name, holds) in [("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n"), ("letter.txt", "Dear")]
        {
            fs::write(place.join(name), holds).unwrap();
            for _ in 0..2 {
                assert!(contents(&cache(&folder, MINE), &text).1, "{name}");
            }
            assert_eq!(names(), [name]);
            fs::remove_file(place.join(name)).unwrap();
        }
        for kept in [false, true] {
            assert_eq!(contents(&cache(&folder, MINE), &text).1, !kept, "an empty folder is taken");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, MINE);
        contents(&cache, &zone(1));
        // Who opens a pipe waits until somebody writes to it.
        for (path, text) in [(&kept(&folder)[0], zone(1)), (&folder.path().join("cache").join(TAG), zone(2))] {
            fs::remove_file(path).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
            assert!(contents(&cache, &text).1, "{}", path.display());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_folder_that_holds_something_else_is_not_followed_for_writing() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("letters")).unwrap();
        fs::write(folder.path().join("letters/letter.txt"), "Dear").unwrap();
        std::os::unix::fs::symlink("letters", folder.path().join("cache")).unwrap();
        for _ in 0..2 {
            assert!(contents(&cache(&folder, MINE), &zone(1)).1);
        }
        assert_eq!(fs::read_dir(folder.path().join("letters")).unwrap().count(), 1);
    }
}
