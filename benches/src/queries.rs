//! Hosts to look up: nine in ten are on no list, as in traffic that is mostly allowed.

use std::collections::HashSet;

use fastrand::Rng;

use crate::domains::covers;

/// How many hosts each contestant is asked for.
pub(crate) const HOSTS: usize = 200_000;

/// What stands in front of names.
const COMMON: [&str; 12] = ["www", "api", "cdn", "mail", "m", "static", "app", "img", "login", "blog", "shop", "docs"];

/// Hosts to look up, and the same apart.
pub(crate) struct Queries {
    /// As they come: nine in ten are on no list.
    pub(crate) mix: Vec<String>,
    /// Those on the list.
    pub(crate) hits: Vec<String>,
    /// Those that are not.
    pub(crate) misses: Vec<String>,
}

impl Queries {
    /// Makes hosts for a list: well-known sites that it does not cover, as they are (30 %), with a common label in front (50 %),
    /// a random one (10 %) or two (10 %); and entries of the list, half of them with a label in front.
    pub(crate) fn of(names: &[String], sites: &[String], count: usize, seed: u64) -> Self {
        let set: HashSet<&str> = names.iter().map(String::as_str).collect();
        let sites: Vec<&String> = sites.iter().filter(|site| !covers(&set, site)).collect();
        let mut random = Rng::with_seed(seed);
        let (mut mix, mut hits, mut misses) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            if random.u32(..10) == 0 {
                let name = &names[random.usize(..names.len())];
                let host = if random.bool() { name.clone() } else { format!("{}.{name}", common(&mut random)) };
                hits.push(host.clone());
                mix.push(host);
            } else {
                let site = sites[random.usize(..sites.len())];
                let host = match random.u32(..10) {
                    0..3 => site.clone(),
                    3..8 => format!("{}.{site}", common(&mut random)),
                    8 => format!("{:08x}.{site}", random.u32(..)),
                    _ => format!("{}.{}.{site}", common(&mut random), common(&mut random)),
                };
                misses.push(host.clone());
                mix.push(host);
            }
        }
        Self { mix, hits, misses }
    }
}

fn common(random: &mut Rng) -> &'static str {
    COMMON[random.usize(..COMMON.len())]
}
