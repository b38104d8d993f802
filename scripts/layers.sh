#!/usr/bin/env bash
# The arrows of the architecture (ARCHITECTURE.md) and no others; the lower rooms stay free of the daemon's libraries, so that
# a verifier can be a small library; an engine's name stands in its own file, and sentences in their own modules.
set -euo pipefail
cd "$(dirname "$0")/.."

code=0
complain() {
    echo "layers: $*" >&2
    code=1
}
deps() { cargo tree --locked --package "$1" --edges normal --prefix none | cut -d ' ' -f 1 | sort -u; }

# What each room may stand on, of ours.
declare -A may=(
    [crypto]='' [certs]='crypto' [protocol]='crypto certs' [apps]='crypto certs protocol'
    [store]='' [ledger]='crypto certs protocol store' [bus]='crypto certs protocol store ledger'
    [search]='crypto certs protocol apps' [print]='crypto certs protocol apps'
    [desk]='crypto certs protocol apps store ledger bus search'
    [doors]='crypto certs protocol apps store ledger bus search desk print'
)
daemon=(tokio quinn axum hyper rocksdb tokio-postgres)
for room in "${!may[@]}"; do
    found=$(deps "chancery-$room")
    for other in "${!may[@]}" tests; do
        [ "$other" = "$room" ] && continue
        [[ " ${may[$room]} " == *" $other "* ]] && continue
        ! grep -qx -- "chancery-$other" <<<"$found" || complain "$room must not depend on $other"
    done
    ! grep -qx -- chancery <<<"$found" || complain "$room must not depend on cli"
    case $room in crypto | certs | protocol | apps | print | search)
        for name in "${daemon[@]}"; do
            ! grep -qx -- "$name" <<<"$found" || complain "$room must not depend on $name"
        done ;;
    esac
done

# Engines: the file of each, and where one is chosen.
named=$(grep -rniE 'rocks|postgres' --include='*.rs' --include=Cargo.toml crypto certs protocol apps print node cli |
    grep -vE '^node/store/(Cargo.toml|src/((rocks|postgres|engine).rs|postgres/tls.rs)):|^node/store/src/lib.rs:[0-9]+:mod ' || true)
[ -z "$named" ] || complain "an engine is named outside of its own file:"$'\n'"$named"

# Sentences: whatever judges makes values, and each of these rooms says them in `wording`. That a certificate does not decode is
# said by those who read it.
said=$(grep -rnE '#\[error\(|(Error|Fault|Fact)::[A-Z][A-Za-z]*\(("|format!)' --include='*.rs' crypto/src certs/src protocol/src |
    grep -vE '/wording/|CertError::Malformed' || true)
[ -z "$said" ] || complain "a sentence stands outside of wording:"$'\n'"$said"

[ $code -eq 0 ] && echo 'layers: all arrows point down'
exit $code
