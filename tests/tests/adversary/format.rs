//! A node of another release, and messages that no release writes.
