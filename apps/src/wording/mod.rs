//! What people read: the one place of this room in which sentences stand, in Chinese and English.

mod computation;
mod fault;
mod mistake;
mod paper;
mod publication;
mod reason;
mod refusal;
mod step;
mod stock;

pub(crate) use self::publication::PageWord;
