//! The document types that are built in: those of plain exchange, read from `modules/<name>/manifest.toml`.

use serde::Deserialize;
use thiserror::Error;

const OFFICIAL_DOCUMENTS: &str = include_str!("../modules/official-documents/manifest.toml");

/// The types of a module, as its manifest describes them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Types {
    /// Its folder's name.
    pub name: String,
    /// Its name in Chinese.
    pub zh: String,
    /// Its name in English.
    pub en: String,
    /// Its document types.
    pub types: Vec<DocumentType>,
}

/// A document type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentType {
    /// Its name in Chinese, which is what documents carry.
    pub zh: String,
    /// Its name in English, for the command line.
    pub en: String,
    /// Whether it is an act on another document, which has a command of its own.
    #[serde(default)]
    pub act: bool,
}

/// Why a module or type is not available.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AppError {
    /// A manifest that is built in cannot be read.
    #[error("the manifest of a module cannot be read: {0}")]
    Manifest(String),
    /// No module has such a document type.
    #[error("{given:?} is no document type; there are: {known}")]
    UnknownType {
        /// The type as given.
        given: String,
        /// The types that there are.
        known: String,
    },
}

/// The types of all modules that are built in.
///
/// # Errors
/// [`AppError::Manifest`] when a manifest is malformed.
pub fn types() -> Result<Vec<Types>, AppError> {
    [OFFICIAL_DOCUMENTS]
        .iter()
        .map(|text| toml::from_str(text).map_err(|e| AppError::Manifest(e.to_string())))
        .collect()
}

/// Finds the module and the type that a clerk names, in Chinese or English.
///
/// # Errors
/// [`AppError::UnknownType`], listing what there is.
pub fn find_type(given: &str) -> Result<(Types, DocumentType), AppError> {
    let all = types()?;
    let types = || all.iter().flat_map(|m| m.types.iter().map(move |t| (m, t)));
    let clerks = || types().filter(|(_, t)| !t.act);
    if let Some((module, kind)) =
        clerks().find(|(_, t)| t.zh == given || t.en.eq_ignore_ascii_case(given))
    {
        return Ok((module.clone(), kind.clone()));
    }
    let known: Vec<_> = clerks().map(|(_, t)| format!("{} ({})", t.zh, t.en)).collect();
    Err(AppError::UnknownType { given: given.to_owned(), known: known.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_either_name_and_acts_only_by_their_command() {
        let (module, kind) = find_type("通知").expect("built in");
        assert_eq!((module.name.as_str(), kind.en.as_str()), ("official-documents", "notice"));
        assert_eq!(find_type("Notice").expect("built in").1, kind);
        for no in ["", "便条", "签收", "receipt"] {
            assert!(matches!(find_type(no), Err(AppError::UnknownType { .. })), "{no:?}");
        }
        let acts: Vec<_> = super::types().expect("built in").remove(0).types;
        for act in ["签收", "退回", "撤回", "撤回答复"] {
            assert!(acts.iter().any(|t| t.act && t.zh == act), "{act}");
        }
    }
}
