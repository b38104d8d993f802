#!/usr/bin/env bash
# Records what a release writes, for the tests of those that come after it: scripts/record-release.sh BINARY NAME makes
# tests/samples/NAME.tar.xz. It takes some ten seconds, and loopback ports 7611 and 7612.
set -euo pipefail
cd "$(dirname "$0")/.."
chancery=$(realpath "$1")
out=$PWD/tests/samples/$2.tar.xz
work=$(mktemp -d)
trap 'kill $(cat "$work"/*.pid 2>/dev/null) 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export LANG=C.UTF-8
quietly() { "$chancery" "$@" >/dev/null; }
issue() {
    quietly ca issue --ca zj --profile "$1" --name "$2" --display "$2" --out "$3" --algorithm "$4" --no-passphrase
}
start() {
    "$chancery" node run --config "$1/node.toml" 2>>"$1.log" &
    echo $! >"$1.pid"
    for _ in $(seq 200); do
        if CHANCERY_SOCKET=$1/node.sock "$chancery" node status >/dev/null 2>&1; then return; fi
        sleep .1
    done
    echo "the node of $1 does not answer" >&2
    exit 1
}
stop() { kill "$(cat "$1.pid")"; wait "$(cat "$1.pid")" || true; }
clerk() {
    local agency=$1
    shift
    CHANCERY_SOCKET=$agency/node.sock CHANCERY_KEY=certs-$agency/clerk.key CHANCERY_CERT=certs-$agency/clerk.pem \
        "$chancery" "$@"
}
# send FROM TO TITLE FILE…: the document's id.
send() {
    local from=$1 to=$2 title=$3
    shift 3
    clerk "$from" --json send "$@" --to "$to.zj.gov.cn" --type 通知 --title "$title" --wait 30 --with-cades |
        head -n 1 | sed 's/.*"document":"\([0-9a-f]*\)".*/\1/'
}

quietly ca init --dir root --display Root --permit gov.cn --no-passphrase
quietly ca issue --ca root --profile intermediate --display Zhejiang --permit zj.gov.cn --path-len 0 --out zj --no-passphrase
issue seal registry.zj.gov.cn registry p256
port=7611
for agency in a b; do
    algorithm=p256
    [ $agency = a ] || algorithm=ed25519
    name=$agency.zj.gov.cn certs=certs-$agency
    issue seal $name $certs $algorithm
    issue node $name $certs $algorithm
    issue officer clerk@$name $certs $algorithm
    quietly node init --dir $agency --agency $name --display $agency --listen 127.0.0.1:$port --anchor root/ca.pem \
        --registrar registry.zj.gov.cn --seal-cert $certs/seal.pem --seal-key $certs/seal.key \
        --node-cert $certs/node.pem --node-key $certs/node.key
    sed -i 's/witness_seconds = 10/witness_seconds = 1/' $agency/node.toml
    port=$((port + 1))
done
quietly directory publish --key registry/seal.key --cert registry/seal.pem --version-number 1 --days 3650 \
    --out directory.cose --anchor root/ca.pem a/agency.card b/agency.card
for agency in a b; do cp directory.cose $agency/; done
printf 'The first document.\n' >first.txt
head -c 90000 /dev/zero | tr '\0' 'x' >second.txt

start a
start b
one=$(send a b 'The first' first.txt)
two=$(send a b 'The second' first.txt second.txt)
three=$(send b a 'The third' second.txt)
clerk b receive "$one" --note noted >/dev/null
four=$(send a b 'Withdrawn' first.txt)
clerk a withdraw "$four" --reason mistaken >/dev/null
for _ in $(seq 100); do if clerk b --json inbox | grep -q 撤回; then break; fi; sleep .1; done
sleep 4
clerk b open "$one" --out document-one >/dev/null
clerk b open "$two" --out document-two >/dev/null
clerk a open "$three" --out document-three >/dev/null
clerk a ledger prove --entry 0 --out entry.evidence >/dev/null
clerk a ledger prove --entry 0 --out entry.cose --cose >/dev/null
quietly export asic document-two --out document-two.asice
clerk a ledger export --out ledger-a >/dev/null
clerk b ledger export --out ledger-b >/dev/null
sleep 2
stop b
# b is put back to what it was, and grows otherwise.
cp -r b/data kept
start b
send a b 'Two histories' first.txt >/dev/null
stop b
rm -rf b/data
cp -r kept b/data
start b
send b a 'Grown otherwise' first.txt >/dev/null
for _ in $(seq 300); do if ls a/data/forks/*.fork >/dev/null 2>&1; then break; fi; sleep .1; done
sleep 1
clerk a ledger export --out ledger-a-fork >/dev/null
stop a
stop b
date -u +%Y-%m-%dT%H:%M:%SZ >time

# The store's own log names places of this machine.
rm -f kept/store/LOG* kept/witness.key
mkdir -p keep/root
cp root/ca.pem keep/root/
cp b/encryption.key keep/b.encryption.key
cp a/agency.card keep/a.card
cp b/agency.card keep/b.card
cp -r kept keep/data-b
cp -r document-* entry.* ledger-* directory.cose time keep/
"$chancery" --version >keep/version
tar -cJf "$out" --sort=name --owner=0 --group=0 --mtime=@0 -C keep .
ls -l "$out" | cut -d ' ' -f 5
