//! A CA below the root, or its holder, who makes time for others.
