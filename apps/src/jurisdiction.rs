//! Offices of an agency by their paths, `xihu` and `xihu/gulou` below it, and where somebody holds a role.

use crate::manifest::is_name;

/// The longest path, in bytes.
const MOST_PATH: usize = 200;

/// Whether a text is the path of an office: names with `/` between them.
pub(crate) fn is_path(text: &str) -> bool {
    text.len() <= MOST_PATH && text.split('/').all(is_name)
}

/// Whether an office is another one, or stands over it: by whole names.
pub(crate) fn covers(over: &str, path: &str) -> bool {
    path.strip_prefix(over).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where somebody holds a role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Held {
    /// In the whole agency.
    pub whole: bool,
    /// In these offices, and those below them.
    pub offices: Vec<String>,
}

impl Held {
    /// As the role is to be held: one of an office is held in no whole agency.
    pub(crate) fn of(self, by_office: bool) -> Self {
        Self { whole: self.whole && !by_office, ..self }
    }

    /// Whether it is held anywhere.
    pub(crate) fn anywhere(&self) -> bool {
        self.whole || !self.offices.is_empty()
    }

    /// Whether it is held where a thing belongs. One without an office belongs to the whole agency.
    pub(crate) fn covers(&self, office: &str) -> bool {
        self.whole || self.offices.iter().any(|over| covers(over, office))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_office_stands_over_those_below_it_by_whole_names() {
        for (over, path, is) in [
            ("xihu", "xihu", true),
            ("xihu", "xihu/gulou", true),
            ("xihu", "xihu/gulou/one", true),
            ("xihu", "xihuqu", false),
            ("xihu", "", false),
            ("xihu/gulou", "xihu", false),
            ("xihu", "gulou/xihu", false),
        ] {
            assert_eq!(covers(over, path), is, "{over} {path}");
        }
        let held = Held { whole: true, offices: vec!["xihu".into()] };
        assert!(held.covers("gulou") && held.covers(""));
        let held = held.of(true);
        assert!(held.covers("xihu/a") && !held.covers("gulou") && !held.covers(""));
    }

    #[test]
    fn a_path_is_made_of_names() {
        for (text, is) in [
            ("xihu", true),
            ("xihu/gulou-2/a_b", true),
            ("", false),
            ("/xihu", false),
            ("xihu/", false),
            ("xihu//gulou", false),
            ("Xihu", false),
            ("西湖", false),
            ("xihu/../gulou", false),
            ("xihu\u{0}", false),
        ] {
            assert_eq!(is_path(text), is, "{text}");
        }
        assert!(!is_path(&"a/".repeat(120)));
    }
}
