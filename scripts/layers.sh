#!/usr/bin/env bash
# The arrows of the architecture point down only, and the lower rooms stay free of the daemon's
# libraries, so that a verifier can be a small library.
set -euo pipefail
cd "$(dirname "$0")/.."

deps() { cargo tree --locked --package "$1" --edges normal --prefix none | cut -d ' ' -f 1 | sort -u; }
code=0
forbid() {
    local room=$1 name
    shift
    for name in "$@"; do
        if deps "$room" | grep -qx -- "$name"; then
            echo "layers: $room must not depend on $name" >&2
            code=1
        fi
    done
}
daemon=(tokio quinn rocksdb)
forbid chancery-crypto "${daemon[@]}" chancery-certs chancery-protocol chancery-node chancery-apps
forbid chancery-certs "${daemon[@]}" chancery-protocol chancery-node chancery-apps
forbid chancery-protocol "${daemon[@]}" chancery-node chancery-apps
forbid chancery-node chancery-apps
[ $code -eq 0 ] && echo 'layers: all arrows point down'
exit $code
