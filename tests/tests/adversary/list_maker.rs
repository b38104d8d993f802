//! A CA, or nobody, who makes revocation lists for certificates of others.
