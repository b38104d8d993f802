#!/usr/bin/env bash
# Licences, sources and duplicate bans of all dependencies; advisories too where the advisory
# database can be reached.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo deny --log-level error check bans licenses sources
if timeout 60 cargo deny --log-level off fetch db >/dev/null 2>&1; then
    cargo deny --log-level error check advisories
else
    echo 'deny: the advisory database cannot be reached from here; advisories were not checked'
fi
