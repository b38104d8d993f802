//! Settings of an object store that keeps large contents.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where contents are objects, by the protocol of S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectSettings {
    /// `https://host[:port]`; the bucket is named in the path.
    pub endpoint: String,
    /// The bucket, which must be there. Versions must not be kept in it: what is purged would stay.
    pub bucket: String,
    /// The region that requests are signed for.
    #[serde(default = "region")]
    pub region: String,
    /// What the names of objects begin with, so that agencies can share a bucket.
    #[serde(default)]
    pub prefix: String,
    /// A file with two lines, the access key and the secret key, for its owner alone.
    pub credentials: PathBuf,
    /// Certificates of the authorities that the server's must lead to (PEM), in place of those that everybody trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

fn region() -> String {
    "us-east-1".into()
}
