//! What somebody may have meant.

/// The known name that is nearest to one that is not known, if it is near enough to have been meant.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::damerau_levenshtein(given, name), name));
    let (distance, name) = scored.min()?;
    (distance <= 1 + given.len() / 4).then_some(name)
}
