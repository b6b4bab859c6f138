//! Help for misspelled names.

/// The candidate nearest to a misspelled word, if any is near enough.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = word.to_lowercase();
    let limit = (wanted.chars().count() / 3).clamp(1, 4);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Help for an unknown name: the nearest one, else what there is.
pub(crate) fn suggest<'a>(word: &str, what: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(near) = nearest(word, candidates.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    if candidates.is_empty() {
        return format!("there are no {what} here");
    }
    let names: Vec<String> = candidates.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = candidates.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{what} are {}{rest}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("distil", ["distill", "dataset"]), Some("distill"));
        assert_eq!(nearest("Datset", ["distill", "dataset"]), Some("dataset"));
        assert_eq!(nearest("train", ["distill", "dataset"]), None);
        assert_eq!(suggest("zzz", "kinds", ["a", "b"]), "kinds are `a`, `b`");
    }
}
