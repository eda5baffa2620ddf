//! Structures of other projects, each as its documentation has it used.
//!
//! | structure | how it answers |
//! |---|---|
//! | hash set (hashbrown), hash set (std) | the host is looked up, then what remains of it label by label |
//! | fst | keys are the labels from the right; one walk from the root, over as much of the host as it leads |
//! | marisa (rsmarisa) | the same keys; its common prefix search |
//! | globset | `name` and `*.name`, each a glob |
//! | `RegexSet` | `(?:^|\.)name$`, with room for its automaton |
//! | aho-corasick | `.name/`, searched for in `.host/` |
//! | adblock-rust | `||name^`; the request is given parsed |

use std::collections::HashSet;
use std::time::Instant;

use anyhow::Result;

use super::{Structure, gzipped, suffixes};

/// More names take globset and `RegexSet` gigabytes or minutes.
const MOST_PATTERNS: usize = 10_000;
/// More names take these minutes, or a hundred bytes each.
const MOST_LITERALS: usize = 200_000;

/// What the allocator gives for a short text: a header, and a multiple of 16 bytes.
const fn allocated(length: usize) -> usize {
    let with_header = (length + 8).next_multiple_of(16);
    if with_header < 32 { 32 } else { with_header }
}

/// Every peer that takes so many names.
pub(crate) fn all<'a>(names: &'a [String], text: &'a str) -> Result<Vec<Structure<'a>>> {
    let mut all = that_grow(names, text)?;
    all.push(standard_set(names, text));
    if names.len() <= MOST_LITERALS {
        all.push(aho_corasick(names, text)?);
        all.push(adblock(names));
    }
    if names.len() <= MOST_PATTERNS {
        all.push(globset(names, text)?);
        all.push(regex_set(names, text)?);
    }
    Ok(all)
}

/// Those whose growth is drawn.
pub(crate) fn that_grow<'a>(names: &'a [String], text: &'a str) -> Result<Vec<Structure<'a>>> {
    Ok(vec![
        hash_set(names, text),
        fst(names)?,
        marisa("marisa", names, 0)?,
        marisa("marisa, 9 tries", names, SMALLEST)?,
    ])
}

fn timed<T>(make: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let structure = make();
    (structure, started.elapsed().as_secs_f64())
}

fn hash_set<'a>(names: &[String], text: &'a str) -> Structure<'a> {
    let made = move || text.lines().map(Box::from).collect::<hashbrown::HashSet<Box<str>>>();
    let (set, build) = timed(made);
    let bytes = set.allocation_size() + names.iter().map(|name| allocated(name.len())).sum::<usize>();
    Structure {
        name: "hash set (hashbrown)",
        bytes: Some(bytes),
        gzip: gzipped(text.as_bytes()),
        in_place: false,
        build,
        start: Box::new(move || drop(std::hint::black_box(made()))),
        lookup: Box::new(move |host: &str| suffixes(host).any(|suffix| set.contains(suffix))),
    }
}

fn standard_set<'a>(names: &[String], text: &'a str) -> Structure<'a> {
    let made = move || text.lines().map(Box::from).collect::<HashSet<Box<str>>>();
    let (set, build) = timed(made);
    // The same table as hashbrown's.
    let slots = (set.capacity() * 8 / 7).next_power_of_two();
    let bytes = slots * (size_of::<Box<str>>() + 1) + names.iter().map(|name| allocated(name.len())).sum::<usize>();
    Structure {
        name: "hash set (std, SipHash)",
        bytes: Some(bytes),
        gzip: gzipped(text.as_bytes()),
        in_place: false,
        build,
        start: Box::new(move || drop(std::hint::black_box(made()))),
        lookup: Box::new(move |host: &str| suffixes(host).any(|suffix| set.contains(suffix))),
    }
}

/// Keys of the tries: the labels from the right.
fn from_the_right(name: &str, key: &mut Vec<u8>) {
    key.clear();
    for label in name.rsplit('.') {
        if !key.is_empty() {
            key.push(b'.');
        }
        key.extend_from_slice(label.as_bytes());
    }
}

fn sorted_keys(names: &[String]) -> Vec<Vec<u8>> {
    let key = |name: &String| {
        let mut key = Vec::with_capacity(name.len());
        from_the_right(name, &mut key);
        key
    };
    let mut keys: Vec<Vec<u8>> = names.iter().map(key).collect();
    keys.sort_unstable();
    keys
}

fn fst(names: &[String]) -> Result<Structure<'static>> {
    let (set, build) = timed(|| fst::Set::from_iter(sorted_keys(names)));
    let bytes: &'static [u8] = set?.into_fst().into_inner().leak();
    let fst = fst::raw::Fst::new(bytes)?;
    let mut key = Vec::new();
    let lookup = move |host: &str| {
        from_the_right(host, &mut key);
        let mut node = fst.root();
        for &byte in &key {
            if byte == b'.' && node.is_final() {
                return true;
            }
            let Some(input) = node.find_input(byte) else { return false };
            node = fst.node(node.transition_addr(input));
        }
        node.is_final()
    };
    Ok(Structure {
        name: "fst",
        bytes: Some(bytes.len()),
        gzip: gzipped(bytes),
        in_place: true,
        build,
        start: Box::new(move || assert!(fst::raw::Fst::new(bytes).is_ok(), "it was built")),
        lookup: Box::new(lookup),
    })
}

/// Nine tries and the least cache: what makes marisa smallest.
const SMALLEST: i32 = 9 | rsmarisa::base::CacheLevel::Tiny as i32;

fn marisa(name: &'static str, names: &[String], options: i32) -> Result<Structure<'static>> {
    let started = Instant::now();
    let mut keys = rsmarisa::Keyset::new();
    for key in sorted_keys(names) {
        keys.push_back_bytes(&key, 1.0)?;
    }
    let mut trie = rsmarisa::Trie::new();
    trie.build(&mut keys, options);
    let build = started.elapsed().as_secs_f64();
    let mut writer = rsmarisa::grimoire::io::writer::Writer::from_vec(Vec::new());
    trie.write(&mut writer)?;
    let bytes: &'static [u8] = writer.into_inner()?.leak();
    let mapped = move || {
        let mut trie = rsmarisa::Trie::new();
        trie.map(bytes).map(|()| trie)
    };
    let trie = mapped()?;
    let mut agent = rsmarisa::Agent::new();
    agent.init_state()?;
    let mut key = Vec::new();
    let lookup = move |host: &str| {
        from_the_right(host, &mut key);
        agent.set_query_bytes(&key);
        while trie.common_prefix_search(&mut agent) {
            if matches!(key.get(agent.key().length()), None | Some(b'.')) {
                return true;
            }
        }
        false
    };
    Ok(Structure {
        name,
        bytes: Some(bytes.len()),
        gzip: gzipped(bytes),
        in_place: true,
        build,
        start: Box::new(move || assert!(mapped().is_ok(), "it was built")),
        lookup: Box::new(lookup),
    })
}

fn aho_corasick<'a>(names: &'a [String], text: &str) -> Result<Structure<'a>> {
    let made = move || aho_corasick::AhoCorasick::new(names.iter().map(|name| format!(".{name}/")));
    let (searcher, build) = timed(made);
    let searcher = searcher?;
    let bytes = searcher.memory_usage();
    let mut haystack = String::new();
    let lookup = move |host: &str| {
        haystack.clear();
        haystack.extend([".", host, "/"]);
        searcher.is_match(&haystack)
    };
    Ok(Structure {
        name: "aho-corasick",
        bytes: Some(bytes),
        gzip: gzipped(text.as_bytes()),
        in_place: false,
        build,
        start: Box::new(move || assert!(made().is_ok(), "it was built")),
        lookup: Box::new(lookup),
    })
}

fn adblock(names: &[String]) -> Structure<'static> {
    let (engine, build) = timed(|| {
        let mut filters = adblock::lists::FilterSet::new(false);
        let rules: String = names.iter().flat_map(|name| ["||", name, "^\n"]).collect();
        filters.add_filter_list(rules, adblock::lists::ParseOptions::default());
        adblock::Engine::new_with_filter_set(filters)
    });
    let bytes = engine.serialize();
    let (size, gzip) = (bytes.len(), gzipped(&bytes));
    let mut url = String::new();
    let lookup = move |host: &str| {
        url.clear();
        url.extend(["https://", host, "/"]);
        let request = adblock::request::Request::preparsed(&url, host, "source.example", "fetch", true, "GET");
        engine.check_network_request(&request).should_block()
    };
    Structure {
        name: "adblock-rust",
        bytes: Some(size),
        gzip,
        in_place: false,
        build,
        start: Box::new(move || {
            let mut engine = adblock::Engine::default();
            assert!(engine.deserialize(&bytes).is_ok(), "it was serialised");
        }),
        lookup: Box::new(lookup),
    }
}

fn globset<'a>(names: &'a [String], text: &str) -> Result<Structure<'a>> {
    let made = move || -> Result<globset::GlobSet, globset::Error> {
        let mut globs = globset::GlobSetBuilder::new();
        for name in names {
            globs.add(globset::Glob::new(name)?);
            globs.add(globset::Glob::new(&format!("*.{name}"))?);
        }
        globs.build()
    };
    let (set, build) = timed(made);
    let set = set?;
    Ok(Structure {
        name: "globset",
        bytes: None,
        gzip: gzipped(text.as_bytes()),
        in_place: false,
        build,
        start: Box::new(move || assert!(made().is_ok(), "it was built")),
        lookup: Box::new(move |host: &str| set.is_match(host)),
    })
}

fn regex_set<'a>(names: &'a [String], text: &str) -> Result<Structure<'a>> {
    let made = move || {
        let patterns = names.iter().map(|name| format!(r"(?:^|\.){}$", regex::escape(name)));
        regex::bytes::RegexSetBuilder::new(patterns).unicode(false).size_limit(1 << 30).dfa_size_limit(1 << 28).build()
    };
    let (set, build) = timed(made);
    let set = set?;
    Ok(Structure {
        name: "RegexSet",
        bytes: None,
        gzip: gzipped(text.as_bytes()),
        in_place: false,
        build,
        start: Box::new(move || assert!(made().is_ok(), "it was built")),
        lookup: Box::new(move |host: &str| set.is_match(host.as_bytes())),
    })
}
