//! Where two engines disagree.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Result;
use tidegate_reference::Answer;

use crate::corpus::NOW;
use crate::policy::{Compiled, Folder};
use crate::request::Request;
use crate::table::Table;
use crate::text::{PolicyText, Smaller, smallest};
use crate::{case, reference};

/// What the engines say to one request, where that is not one thing. An engine that panicked says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the reference interpreter says.
    pub reference: Option<Answer>,
    /// What the table says.
    pub table: Option<Answer>,
}

/// Puts a request to both engines. `Ok` is what both say.
pub fn compare(
    compiled: &Compiled,
    table: &mut Table<'_>,
    request: &Request,
    secret: &dyn Fn(&str) -> Option<String>,
) -> Result<Answer, Box<Difference>> {
    let of_reference = catch_unwind(AssertUnwindSafe(|| reference(compiled, request, secret))).ok();
    let of_table = catch_unwind(AssertUnwindSafe(|| table.judge(request, secret))).ok();
    match (of_reference, of_table) {
        (Some(reference), Some(table)) if reference == table => Ok(table),
        (reference, table) => Err(Box::new(Difference { reference, table })),
    }
}

/// Makes a policy and a request as small as can be while the engines still disagree, and writes both down as a case of
/// the corpus, with what the reference interpreter says as what is expected.
pub fn smallest_case(policy: &PolicyText, request: &Request) -> Result<String> {
    let folder = Folder::new()?;
    let differ = |policy: &PolicyText, request: &Request| difference(&folder, policy, request).ok().flatten().is_some();
    let (mut policy, mut request) = (policy.clone(), request.clone());
    let in_one_file = policy.in_one_file();
    if differ(&in_one_file, &request) {
        policy = in_one_file;
    }
    loop {
        let before = (policy.clone(), request.clone());
        policy = smallest(&mut Smaller::new(policy), |policy| differ(policy, &request));
        while let Some(smaller) = simpler(&request).into_iter().find(|request| differ(&policy, request)) {
            request = smaller;
        }
        if before == (policy.clone(), request.clone()) {
            break;
        }
    }
    let difference = difference(&folder, &policy, &request)?;
    Ok(case::text("the engines agree", &policy, &request, difference.as_ref()))
}

/// What the engines disagree on; nothing if the policy is none.
fn difference(folder: &Folder, policy: &PolicyText, request: &Request) -> Result<Option<Difference>> {
    let compilation = folder.compile(&policy.text(), &policy.files())?;
    let Some(compiled) = Compiled::of(compilation) else { return Ok(None) };
    let mut table = Table::load(&compiled.table)?;
    let secret = |name: &str| policy.secret(name);
    Ok(compare(&compiled, &mut table, request, &secret).err().map(|difference| *difference))
}

/// Requests that are one step plainer.
fn simpler(request: &Request) -> Vec<Request> {
    let mut simpler = Vec::new();
    let mut add = |change: &dyn Fn(&mut Request)| {
        let mut changed = request.clone();
        change(&mut changed);
        if changed != *request {
            simpler.push(changed);
        }
    };
    for index in 0..request.headers.len() {
        add(&|request| drop(request.headers.remove(index)));
    }
    for index in 0..request.identity.tags.as_ref().map_or(0, Vec::len) {
        add(&|request| request.identity.tags.iter_mut().for_each(|tags| drop(tags.remove(index))));
    }
    add(&|request| request.identity.tags = None);
    add(&|request| request.identity.vars = Some(Vec::new()));
    add(&|request| request.identity.customer = None);
    add(&|request| request.now = NOW);
    add(&|request| "GET".clone_into(&mut request.method));
    for end in ['#', '?'] {
        add(&|request| request.url.truncate(request.url.find(end).unwrap_or(request.url.len())));
    }
    let path = request.url.find("://").and_then(|at| request.url[at + 3..].find('/').map(|slash| at + 3 + slash));
    if let Some(path) = path {
        add(&|request| request.url.truncate(path + 1));
    }
    simpler
}
