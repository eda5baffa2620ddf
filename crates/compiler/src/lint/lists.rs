//! `list-blocks-host`: entries of lists that block a host which an allow rule names.

use super::Context;
use crate::alternatives::Key;
use crate::analysis::formula::{Formula, Predicate};
use crate::analysis::strings::Search;
use crate::checked::Effect;
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn check(context: &mut Context<'_>) {
    let policy = context.policy;
    let indices = |context: &Context<'_>, effect| -> Vec<usize> {
        context.model.deciding(effect).map(|(index, _)| index).filter(|index| !context.dead.contains(index)).collect()
    };
    let denies: Vec<(usize, usize)> = indices(context, Effect::Deny)
        .into_iter()
        .flat_map(|rule| {
            let lists = policy.rules[rule].condition.hosts.iter().flat_map(|hosts| hosts.lists.iter());
            lists.map(move |&list| (rule, list)).collect::<Vec<_>>()
        })
        .collect();
    if denies.is_empty() {
        return;
    }
    for index in indices(context, Effect::Allow) {
        let rule = context.rule(index);
        let Some(hosts) = &rule.condition.hosts else { continue };
        let names = hosts.exact.iter().map(|name| (Key::Hosts, name));
        for (key, name) in names.chain(hosts.domains.iter().map(|name| (Key::Domains, name))) {
            for &(deny, list) in &denies {
                let Some(entry) = policy.lists.get(list).and_then(|list| list.entry_for(name)) else { continue };
                let host = Formula::is(Predicate::Host(context.space.hosts.add_one(name)));
                let both = context.model.rules[index].matches.clone().and(context.model.rules[deny].matches.clone());
                let Search::Found(point) = context.ask(Code::ListBlocksHost, index, &both.and(host)) else { continue };
                let witness = context.witness(&point);
                let (list, deny) = (&policy.lists[list], context.rule(deny));
                let span = rule.condition.places.of(key, name).unwrap_or(rule.span);
                let message = format!("the list `{}` blocks `{name}`, which `{}` allows", list.id, rule.id);
                let mut finding = Diagnostic::error(Code::ListBlocksHost, span, message);
                finding = match list.place_of(entry, context.sources) {
                    Some(place) => finding.label(place, format!("`{}` denies what is here", deny.id)),
                    None => finding.label(deny.span, format!("`{}` denies what the list holds", deny.id)),
                };
                let except = format!("except = [{{ {} = [\"{name}\"] }}]", key.as_str());
                context.report(
                    finding
                        .help(format!("such a request is {witness}"))
                        .help(format!("if it is to pass, give `{}` an exception: `{except}`", deny.id)),
                );
                break;
            }
        }
    }
}
