//! Somebody who makes containers, documents and files that look like others'.
