//! What people read: the one place of this room in which sentences stand, in Chinese and English.

mod mistake;
mod publication;
mod reason;
mod step;

pub(crate) use self::publication::PageWord;
