//! What people read: the one place of this room in which sentences stand, in Chinese and English.

mod mistake;
mod reason;
mod step;
mod stock;
