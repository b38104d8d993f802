//! The standing adversary: each file is one attacker, who does its worst against real commands and real nodes. What it
//! must not reach is what its tests assert.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod auditor;
mod certified_peer;
mod clock;
mod file_maker;
mod format;
mod greedy_peer;
mod list_maker;
mod local_user;
mod meanwhile;
mod recipient;
mod registrar;
mod stranger;
mod subordinate_ca;
mod time_stamper;
mod token_holder;
