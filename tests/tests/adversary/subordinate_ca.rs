//! A CA below the root that certifies beyond its name constraints, in every encoding.
