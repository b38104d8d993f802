//! What somebody may have meant.

/// How many names are compared.
const MOST: usize = 500;

/// The longest name that is compared, in bytes: of longer ones nobody meant another.
const LONGEST: usize = 200;

/// The known name that is nearest to one that is not known, if it is near enough to have been meant.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if given.len() > LONGEST {
        return None;
    }
    let near = |length: usize| 1 + length / 4;
    // Whose length differs by more is not near, and need not be compared.
    let (most, given_length) = (near(given.len()), given.chars().count());
    let known =
        known.into_iter().filter(|name| name.chars().count().abs_diff(given_length) <= most);
    let scored = known.take(MOST).map(|name| (strsim::damerau_levenshtein(given, name), name));
    let (distance, name) = scored.min()?;
    (distance <= most).then_some(name)
}
