//! A recipient's node that lies about what it was given.
