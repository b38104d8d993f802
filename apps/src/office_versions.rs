//! Versions of modules: which are known, what is proposed and waits for a second officer, and what takes effect at a date.

use chancery_crypto::Digest;

use crate::{
    folder::{Folder, MOST_ABOVE},
    office,
    state::{State, StateError},
};

/// A folder with those that it extends, as they were installed. None when it, or one of those, is not here.
///
/// # Errors
/// [`StateError`].
pub fn whole_folder(state: &dyn State, digest: &Digest) -> Result<Option<Folder>, StateError> {
    let mut all: Vec<Folder> = Vec::new();
    let mut next = Some(*digest);
    while let Some(digest) = next {
        let Some(bytes) = state.get(&office::folder(&digest))? else { return Ok(None) };
        let folder = Folder::decode(&bytes).map_err(StateError::damaged)?;
        next = folder.extends().and_then(|extends| extends.digest);
        all.push(folder);
        if all.len() > 1 + MOST_ABOVE {
            return Ok(None);
        }
    }
    let mut whole: Option<Folder> = None;
    for folder in all.into_iter().rev() {
        whole = Some(match whole {
            Some(above) => folder.over(above),
            None => folder,
        });
    }
    Ok(whole)
}
