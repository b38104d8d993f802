#!/usr/bin/env bash
# Checks Cargo.lock against a copy of RustSec's advisories, without a network: scripts/advisories.sh FOLDER
# The folder holds crates/NAME/RUSTSEC-….md, as the repository rustsec/advisory-db does. `scripts/deny.sh` fetches that repository
# itself where it can be reached. Needs cargo-deny and git.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 1 ] && [ -d "$1/crates" ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# cargo-deny takes advisories from a git repository alone: the copy becomes one.
mkdir "$work/db"
cp -r "$1/crates" "$work/db/"
git -C "$work/db" init -q -b main
git -C "$work/db" add .
git -C "$work/db" -c user.name=advisories -c user.email=advisories@chancery.invalid commit -q -m 'A copy'
sed -e '/^\[advisories\]/a db-path = "'"$work"'/fetched"\ndb-urls = ["https://advisories.invalid/db"]\ngit-fetch-with-cli = true' \
    deny.toml >"$work/deny.toml"
printf 'advisories: %s known, against %s packages\n' "$(find "$work/db/crates" -name 'RUSTSEC-*' | wc -l)" \
    "$(grep -c '^\[\[package\]\]' Cargo.lock)"
# It also wants an address with a host, so git is told where that one leads.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$work/db.insteadOf" GIT_CONFIG_VALUE_0=https://advisories.invalid/db
cargo deny --log-level error --config "$work/deny.toml" check advisories
