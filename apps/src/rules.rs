//! The one door to what decides: modules that are data, the office, and the exchange of documents, which is a module in Rust.

use crate::{
    case::{Decided, Deciding},
    input::Input,
    kernel::Kernel,
    manifest::{Act, Form},
    office,
    record::Applied,
    state::Overlay,
    thing::{Parent, Thing},
};

/// What decides an input over what is kept. It reads nothing else, and what it writes counts only when it takes effect.
pub(crate) trait Rules {
    /// What comes of it, or why it is refused.
    fn decide(self, overlay: &mut Overlay<'_>, input: &Input) -> Decided<Applied>;
}

/// An act on a case of a module that is a folder.
pub(crate) struct OfCase<'a> {
    pub deciding: &'a Deciding<'a>,
    pub act: &'a Act,
    pub form: &'a Form,
    /// The thing; none of one that is opened.
    pub thing: Option<Thing>,
    /// The thing whose child is opened.
    pub parent: Option<Parent>,
}

impl Rules for OfCase<'_> {
    fn decide(self, overlay: &mut Overlay<'_>, input: &Input) -> Decided<Applied> {
        let Self { deciding, act, form, thing, parent } = self;
        deciding.act(overlay, input, act, form, thing, parent)
    }
}

/// An act of the office.
pub(crate) struct OfOffice<'a> {
    pub kernel: &'a Kernel,
    pub act: &'a str,
    /// The module that it is about.
    pub module: Option<&'a crate::manifest::Module>,
}

impl Rules for OfOffice<'_> {
    fn decide(self, overlay: &mut Overlay<'_>, input: &Input) -> Decided<Applied> {
        office::decide(self.kernel, overlay, input, self.act, self.module)
    }
}
