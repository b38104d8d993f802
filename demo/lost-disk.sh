#!/usr/bin/env bash
# What happens to a node whose disk is lost, told with real processes on this machine: a data folder that is not mounted, an
# old backup that is put back, and a recipient that has an old directory or none. In each case a node that goes on as if
# nothing had happened would lose a document that its sender holds a receipt for, fork its ledger for good, or refuse what it
# should have taken. Ends with 0 only when none of that happened.
#
#   demo/lost-disk.sh CHANCERY_BINARY
set -euo pipefail

chancery_bin=$(realpath "$1")
work=$(mktemp -d)
declare -A pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || :; wait "$pid" 2>/dev/null || :; done
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work"
chancery() { "$chancery_bin" "$@"; }
export LANG=C.UTF-8 CHANCERY_ANCHOR=ca/root/ca.pem
unset LC_ALL CHANCERY_PASSPHRASE CHANCERY_TRUST

bold=''; dim=''; red=''; plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m'; dim=$'\e[2m'; red=$'\e[31m'; plain=$'\e[0m'
fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() {
    printf '%s%s%s\n' "$red" "$*" "$plain"
    for log in */node.log; do printf '%s\n' "-- $log"; tail -n 25 "$log"; done
    exit 1
}
shown() {
    local prompt='$'
    case $1 in hz | nb | tz) prompt="$1\$ chancery"; shift ;; esac
    printf '%s%s %s%s\n' "$dim" "$prompt" "$*" "$plain"
}
run() { shown "$@"; "$@"; }
# Runs a command that must end with a given exit code, and whose output must hold a word.
expect() {
    local want=$1 word=$2 code=0 out
    shift 2
    shown "$@"
    out=$("$@" 2>&1) || code=$?
    printf '%s\n' "$out"
    if [ "$code" != "$want" ]; then fail "the exit code is $code, not $want"; fi
    if ! grep -q -- "$word" <<<"$out"; then fail "the answer does not say $word"; fi
}
# Waits until a command says something.
await() {
    local word=$1
    shift
    for _ in $(seq 400); do
        if "$@" 2>/dev/null | grep -q -- "$word"; then return; fi
        sleep 0.1
    done
    fail "within 40 seconds nobody said $word: $*"
}
never() { if grep -h -- "$1" */node.log; then fail "somebody says: $1"; fi }
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 20000))
        if ! grep -qi ":$(printf '%04X' "$port") " /proc/net/udp /proc/net/udp6 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}
start_node() {
    shown chancery node run --config "$1/node.toml" '&'
    CHANCERY_NODE__LIMITS__WITNESS_SECONDS=1 "$chancery_bin" node run --config "$1/node.toml" 2>>"$1/node.log" &
    pids[$1]=$!
    for _ in $(seq 200); do
        if chancery node status --socket "$1/node.sock" >/dev/null 2>&1; then return; fi
        sleep 0.05
    done
    fail "the node of $1 does not start"
}
stop_node() {
    shown kill "%$1"
    kill "${pids[$1]}"
    wait "${pids[$1]}" || fail "the node of $1 ended badly"
    unset "pids[$1]"
}
as() { local who=$1; shift; CHANCERY_SOCKET=$who/node.sock CHANCERY_KEY=clerk-$who/clerk.key CHANCERY_CERT=clerk-$who/clerk.pem chancery "$@"; }
hz() { as hz "$@"; }
nb() { as nb "$@"; }
tz() { as tz "$@"; }
send() { run "$1" send notice.txt --to "$2.zj.gov.cn" --type 通知 --title "$3" "${@:4}"; }
entries() { as "$1" --json node status | grep -o '"entries":[0-9]*' | cut -d : -f 2; }
# Waits until what a node has sealed stands in its mark.
marked() {
    local want
    want=$(entries "$1")
    for _ in $(seq 200); do
        if [ "$(sed -n 2p "$1/ledger.mark")" = "$want" ]; then return; fi
        sleep 0.1
    done
    fail "$1/ledger.mark does not say $want"
}

step '0. Four agencies: hz and nb stand free, tz is behind the relay bus'
chancery ca init --dir ca/root --display 国家根 --permit gov.cn --no-passphrase >/dev/null
new() { chancery ca issue --ca ca/root --no-passphrase --display "$2" --profile "$1" --name "$2" --out "$3" >/dev/null; }
new seal registry.zj.gov.cn registry
for agency in hz nb tz bus; do
    name=$agency.zj.gov.cn
    new seal "$name" "certs/$agency"
    new node "$name" "certs/$agency"
    new officer "clerk@$name" "clerk-$agency"
    behind=()
    if [ "$agency" = tz ]; then behind=(--relay bus.zj.gov.cn); fi
    chancery node init --dir "$agency" --agency "$name" --display "$agency" --listen "127.0.0.1:$(free_port)" "${behind[@]}" \
        --anchor ca/root/ca.pem --registrar registry.zj.gov.cn \
        --seal-cert "certs/$agency/seal.pem" --seal-key "certs/$agency/seal.key" \
        --node-cert "certs/$agency/node.pem" --node-key "certs/$agency/node.key" >/dev/null
done
publish() {
    local version=$1
    shift
    chancery directory publish --key registry/seal.key --cert registry/seal.pem --version-number "$version" \
        --out "directory-$version.cose" "${@/%//agency.card}" >/dev/null
}
publish 1 hz nb
publish 2 hz nb tz bus
printf '关于开展灾备演练的通知\n' >notice.txt
for agency in hz nb; do
    cp directory-1.cose "$agency/directory.cose"
    start_node "$agency"
done
send hz nb 第一号 --wait 30
send nb hz 第二号 --wait 30
for agency in hz nb; do marked "$agency"; done

step '1. The disk of nb is not mounted when its node is started (数据盘未挂载)'
stop_node nb
mv nb/data away
mkdir nb/data
expect 3 CHY-4041 chancery node run --config nb/node.toml
if [ -n "$(ls -A nb/data)" ]; then fail 'something was begun where the disk should be'; fi
send hz nb 空盘
# Also when the note beside the configuration is gone, its peers know better.
mv nb/ledger.mark away.mark
expect 3 CHY-4042 chancery node run --config nb/node.toml
rm -rf nb/data
mv away nb/data
mv away.mark nb/ledger.mark
start_node nb
await '"delivered"' hz --json outbox --limit 1
await 空盘 nb inbox
never 'two different histories'

step '2. Last night’s backup is put back at nb (恢复旧备份)'
run nb ledger backup
cp -r nb/data/backups/* backup
send hz nb 白天的文 --wait 30
marked nb
stop_node nb
mv nb/data away
expect 0 restored chancery ledger restore backup --into nb/data
start_node nb
expect 0 'missing at its end' nb node status
send hz nb 恢复之后
expect 3 CHY-4042 nb send notice.txt --to hz.zj.gov.cn --type 通知 --title 不该封存
# What was there can be read, and handed to auditors.
expect 0 第一号 nb inbox
run nb ledger export --out exported
sleep 3
if hz --json outbox --limit 1 | grep -q '"delivered"'; then fail 'a receipt was given out of an old backup'; fi
never 'two different histories'
stop_node nb
# On another machine nothing beside the data folder says so: its peers do.
mv nb/ledger.mark away.mark
start_node nb
await 'missing at its end' nb node status
stop_node nb
# What the lost disk still gives is put back.
rm -rf nb/data
mv away nb/data
mv away.mark nb/ledger.mark
start_node nb
await '"delivered"' hz --json outbox --limit 1
expect 0 白天的文 nb inbox
never 'two different histories'

step '3. The directory of a recipient is old, or not there (收件机关目录陈旧或缺失)'
# nb has the first one, in which there is neither tz nor its relay; tz has none, and its own settings name the relay.
stop_node nb
run hz directory install directory-2.cose
cp directory-2.cose bus/directory.cose
start_node bus
start_node tz
send hz tz 没有目录 --wait 40
await 'directory: 2' tz node status
send tz nb 目录陈旧
start_node nb
await '"delivered"' tz --json outbox --limit 1
await 目录陈旧 nb inbox
if hz --json outbox | grep -q '"refused"' || tz --json outbox | grep -q '"refused"'; then fail 'something was refused for good'; fi

step '4. The ledgers of all of them hold, and no two contradict each other (审计)'
for agency in hz nb tz; do run "$agency" ledger export --out "ledger-$agency"; done
run chancery audit ledger-hz ledger-nb ledger-tz
never panicked
for agency in hz nb tz bus; do stop_node "$agency"; done

printf '\n%sNo document was lost, no ledger was forked, and nothing was refused that should have been taken.%s\n' "$bold" "$plain"
