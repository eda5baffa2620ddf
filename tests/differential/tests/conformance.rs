//! The conformance corpus, put to the reference interpreter and to the compiled table.

use anyhow::{Context, Result};
use tidegate_differential::{Compiled, Table, corpus, reference};

#[test]
fn reference_and_table_answer_every_case_as_expected() -> Result<()> {
    let (mut questions, mut wrong) = (0, Vec::new());
    for (file, cases) in corpus::read()? {
        for case in cases {
            let place = || format!("{file}: {}", case.name);
            let compiled = Compiled::new(&case.policy, &case.files).with_context(place)?;
            let mut table = Table::load(&compiled.table).with_context(place)?;
            let secret = |name: &str| case.secret(name);
            for question in &case.questions {
                questions += 1;
                let request = question.request();
                let answers =
                    [("reference", reference(&compiled, &request, &secret)), ("table", table.judge(&request, &secret))];
                for (engine, answer) in &answers {
                    if let Err(error) = question.check(answer) {
                        wrong.push(format!("{}: {} {}\n    {engine}: {error}", place(), request.method, request.url));
                    }
                }
                if answers[0].1 != answers[1].1 {
                    wrong.push(format!(
                        "{}: {} {}\n    the engines differ: {answers:#?}",
                        place(),
                        request.method,
                        request.url
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {questions} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}
