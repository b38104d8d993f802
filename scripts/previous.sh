#!/usr/bin/env bash
# Builds the program of an earlier release, for the tests that run two releases side by side:
# scripts/previous.sh COMMIT FOLDER puts it at FOLDER/chancery and prints where that is. CARGO_TARGET_DIR may name a
# folder in which RocksDB is built already.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=$(git rev-parse --verify "$1^{commit}")
mkdir -p "$2"
out=$(realpath "$2")
if [ "$(cat "$out/commit" 2>/dev/null)" != "$commit" ] || [ ! -x "$out/chancery" ]; then
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    git archive "$commit" | tar -x -C "$tree"
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$out/target}
    (cd "$tree" && "${CARGO:-cargo}" build --release --locked --package chancery >&2)
    cp "$CARGO_TARGET_DIR/release/chancery" "$out/chancery"
    echo "$commit" >"$out/commit"
fi
echo "$out/chancery"
