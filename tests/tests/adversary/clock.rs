//! A node whose clock, or whose peer's clock, does not tell the time.
