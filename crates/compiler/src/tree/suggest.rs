//! "Did you mean": the known word nearest to one that is not known.

/// The known word that somebody may have meant, if one is near enough.
pub(crate) fn did_you_mean<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |word: &str| word.to_ascii_lowercase().replace('_', "-");
    let written = plain(written);
    let reach = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, &plain(word)), word))
        .filter(|&(distance, _)| distance <= reach)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, word)| word)
}

/// Words as people list them: `a`, `b` or `c`, each in backticks.
pub(crate) fn one_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word_and_another_word_finds_none() {
        let known = ["host-regex", "hosts", "methods", "ports"];
        assert_eq!(did_you_mean("host", known), Some("hosts"));
        assert_eq!(did_you_mean("host_regex", known), Some("host-regex"));
        assert_eq!(did_you_mean("Mehtods", known), Some("methods"));
        assert_eq!(did_you_mean("colour", known), None);
        assert_eq!(did_you_mean("", known), None);
    }

    #[test]
    fn words_are_listed_as_people_do() {
        assert_eq!(one_of(["a"]), "`a`");
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
