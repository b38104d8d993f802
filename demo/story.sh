#!/usr/bin/env bash
# The main job of Chancery, told with real processes on this machine: two provinces, three agencies and a relay, a
# document with a large attachment to two of them, a crash, receipts and an answer, an audit, and four forgeries. Each
# step prints the command that a person would type. Ends with 0 only when every step came out as it should.
#
#   demo/story.sh CHANCERY_BINARY [DOCUMENT…]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
chancery_bin=$(realpath "$1")
shift
documents=()
for file in "$@"; do documents+=("$(realpath "$file")"); done
if [ ${#documents[@]} -eq 0 ]; then
    documents=("$here"/documents/*.pdf)
fi

work=$(mktemp -d)
declare -A pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || :; wait "$pid" 2>/dev/null || :; done
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work"
for i in "${!documents[@]}"; do
    cp "${documents[$i]}" .
    documents[i]=$(basename "${documents[$i]}")
done
chancery() { "$chancery_bin" "$@"; }

bold=''; dim=''; red=''; plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m'; dim=$'\e[2m'; red=$'\e[31m'; plain=$'\e[0m'
fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# Shows a command as a person would type it. What a clerk types stands behind the clerk's agency.
shown() {
    local prompt='$' word
    case $1 in hz | nb | nj) prompt="$1\$ chancery"; shift ;; esac
    printf '%s%s' "$dim" "$prompt"
    for word in "$@"; do
        case $word in *[\ \(\)\&\〔\*\;]*) [ "$word" = '&' ] || word="'$word'" ;; esac
        printf ' %s' "$word"
    done
    printf '%s\n' "$plain"
}
# Runs a command as typed and shows it; anything but exit 0 ends the story.
run() { shown "$@"; "$@"; }
# Runs a command that must end with a given exit code, and whose output must hold a word.
expect() {
    local want=$1 word=$2 code=0 out
    shift 2
    shown "$@"
    out=$("$@" 2>&1) || code=$?
    printf '%s\n' "$out"
    if [ "$code" != "$want" ]; then
        printf '%sthe exit code is %s, not %s%s\n' "$red" "$code" "$want" "$plain"
        exit 1
    fi
    if ! grep -q -- "$word" <<<"$out"; then
        printf '%sthe answer does not say %s%s\n' "$red" "$word" "$plain"
        exit 1
    fi
}
# A free UDP port: the kernel refuses a second bind, so try until one is not in use.
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
    "$chancery_bin" node run --config "$1/node.toml" 2>>"$1/node.log" &
    pids[$1]=$!
    for _ in $(seq 200); do
        if chancery node status --socket "$1/node.sock" >/dev/null 2>&1; then return; fi
        sleep 0.05
    done
    cat "$1/node.log"
    exit 1
}
stop_node() {
    shown kill "-$2" "%$1"
    kill "-$2" "${pids[$1]}"
    wait "${pids[$1]}" 2>/dev/null || :
    unset "pids[$1]"
}
# What each clerk has in the environment, so that the commands stay short.
hz() { CHANCERY_SOCKET=hz/node.sock CHANCERY_KEY=li/li.key CHANCERY_CERT=li/li.pem chancery "$@"; }
nj() { CHANCERY_SOCKET=nj/node.sock CHANCERY_KEY=zhou/zhou.key CHANCERY_CERT=zhou/zhou.pem chancery "$@"; }
nb() { CHANCERY_SOCKET=nb/node.sock CHANCERY_KEY=chen/chen.key CHANCERY_CERT=chen/chen.pem chancery "$@"; }

# Waits until a command says something.
await() {
    local word=$1
    shift
    for _ in $(seq 300); do
        if "$@" | grep -q -- "$word"; then return; fi
        sleep 0.1
    done
    printf '%swithin 30 seconds nobody said %s%s\n' "$red" "$word" "$plain"
    exit 1
}

step '1. A hierarchy: the root certifies two provinces, each certifies its agencies and officers (信任体系)'
printf 'correct horse battery staple\n' >passphrase
export CHANCERY_PASSPHRASE_FILE=$PWD/passphrase
new='--new-passphrase-file passphrase'
# shellcheck disable=SC2086  # two words on purpose
{
run chancery ca init --dir ca/root --display 国家根 --permit gov.cn $new
run chancery ca issue --ca ca/root --profile intermediate --display 浙江省 --permit zj.gov.cn --path-len 0 --out ca/zj $new
run chancery ca issue --ca ca/root --profile intermediate --display 江苏省 --permit js.gov.cn --path-len 0 --out ca/js $new
run chancery ca issue --ca ca/zj --profile officer --name li@hz.zj.gov.cn --display 李明 --out li $new
run chancery ca issue --ca ca/zj --profile officer --name chen@nb.zj.gov.cn --display 陈静 --out chen $new
run chancery ca issue --ca ca/js --profile officer --name zhou@nj.js.gov.cn --display 周洁 --out zhou $new
}
run chancery ca issue --ca ca/zj --profile seal --name registry.zj.gov.cn --display 注册中心 --out registry --no-passphrase
agencies=(hz.zj:杭州市司法局 nb.zj:宁波市司法局 nj.js:南京市司法局 bus.js:江苏省公文交换中心)
for agency in "${agencies[@]}"; do
    name=${agency%%:*}
    for profile in seal node; do
        run chancery ca issue --ca "ca/${name#*.}" --profile "$profile" --name "$name.gov.cn" --display "${agency##*:}" --out "certs/${name%.*}" --no-passphrase
    done
done
export CHANCERY_ANCHOR=ca/root/ca.pem
run chancery cert verify --purpose sign --name email:zhou@nj.js.gov.cn zhou/zhou.pem

step '2. Three agencies and a relay set up their nodes; Nanjing is reached through the relay only (建立节点与目录)'
cards=()
for agency in "${agencies[@]}"; do
    name=${agency%%:*}
    short=${name%.*}
    behind=()
    # No address of its own that anybody could dial: it dials the relay, which carries what it cannot read.
    if [ "$short" = nj ]; then behind=(--relay bus.js.gov.cn --advertise 127.0.0.1:9); fi
    run chancery node init --dir "$short" --agency "$name.gov.cn" --display "${agency##*:}" \
        --listen "127.0.0.1:$(free_port)" "${behind[@]}" --anchor ca/root/ca.pem --registrar registry.zj.gov.cn \
        --seal-cert "certs/$short/seal.pem" --seal-key "certs/$short/seal.key" \
        --node-cert "certs/$short/node.pem" --node-key "certs/$short/node.key"
    cards+=("$short/agency.card")
done
run chancery directory publish --key registry/seal.key --cert registry/seal.pem --version-number 1 \
    --out directory.cose "${cards[@]}"
for short in hz nb nj bus; do
    run cp directory.cose "$short/directory.cose"
    start_node "$short"
done

printf '\nEach clerk has set CHANCERY_SOCKET (the node), CHANCERY_KEY and CHANCERY_CERT (their own), such as\n'
printf '  export CHANCERY_SOCKET=hz/node.sock CHANCERY_KEY=li/li.key CHANCERY_CERT=li/li.pem\n'

step '3. A clerk in Hangzhou sends a notice with a 200 MB attachment to Ningbo and Nanjing (发文)'
head -c 200000000 /dev/urandom >附件.bin
run hz send "${documents[@]}" 附件.bin --to nb.zj.gov.cn nj.js.gov.cn --type 通知 \
    --title 关于开展电子公文交换试点工作的通知 --number '杭司〔2026〕12号' --urgency urgent

step '4. The node in Ningbo is killed in the middle of the transfer, and started again (断电与恢复)'
for _ in $(seq 2000); do
    size=$(stat -c %s nb/data/content/*.part 2>/dev/null | head -n 1 || :)
    if [ "${size:-0}" -gt 40000000 ]; then break; fi
    sleep 0.005
done
stop_node nb 9
ls -l nb/data/content
# What an operator would keep who means to deny later what he has received.
cp -r nb/data before
start_node nb
for _ in $(seq 300); do
    if hz --json outbox | grep -q '"pending"'; then sleep 0.1; else break; fi
done
run hz outbox
grep -h resuming nb/node.log || { echo 'the transfer was not resumed'; exit 1; }
grep -h 'taken for relaying' bus/node.log || { echo 'nothing went through the relay'; exit 1; }

# As it is now, for later.
chancery ledger export --socket nb/node.sock --out ledger-rolled-back >/dev/null
step '5. Both find it, open it and sign for it; Ningbo answers (收文、签收、答复)'
run nb inbox
id=$(nb --json inbox | grep -o '"document":"[0-9a-f]*"' | head -n 1 | cut -d '"' -f 4)
run nb open "${id:0:16}" --out received
cmp 附件.bin received/parts/附件.bin
run nb receive "${id:0:16}" --note 已登记，收文第12号
run nj receive "${id:0:16}" --note 已登记，收文第7号
printf '贵局来文收悉，我局将于下月起试点。\n' >复函.txt
run nb reply "${id:0:16}" 复函.txt --wait 30
# The relay has carried it, and has nothing to open.
expect 1 CHY-4011 chancery open "${id:0:16}" --out x --socket bus/node.sock
for kind in 签收 复; do await "$kind" hz --json inbox; done
await '周洁\|zhou@nj' hz trace "${id:0:16}"
expect 0 RelayAcceptance hz trace "${id:0:16}" --html journey.html
run hz withdraw "${id:0:16}" --reason 文号有误
await '撤回被拒.*撤回被拒' hz --json inbox
echo 'It is signed for already: both nodes refuse the withdrawal, and their ledgers say so.'

step '6. An auditor, offline, with nothing but the root certificate (离线审计)'
run hz ledger status
# Whoever exports while documents are still on their way gets ledgers of different instants: the earlier one looks
# rolled back beside the later ones.
for short in hz nb nj bus; do
    await '"pending":0' chancery --json node status --socket "$short/node.sock"
done
for short in hz nb nj bus; do
    run chancery ledger export --socket "$short/node.sock" --out "ledger-$short"
done
expect 0 TOTAL-PASSED chancery verify received
expect 0 TOTAL-PASSED chancery audit ledger-hz ledger-nb ledger-nj ledger-bus

step '7. Forgery one: a byte of the content is changed (篡改内容)'
cp -r received forged
printf 'X' | dd of="forged/parts/${documents[0]}" bs=1 seek=100 conv=notrunc status=none
expect 1 HASH_FAILURE chancery verify forged

step '8. Forgery two: a signer outside the name constraints of its CA (越权签发)'
# The province's CA refuses to do it by mistake …
expect 2 CHY-2005 chancery ca issue --ca ca/zj --profile officer --name wang@court.sh.gov.cn --display 王某 --out rogue --no-passphrase
# … and whoever holds its key and does it all the same gains nothing by it.
chancery ca issue --ca ca/zj --profile officer --name wang@court.sh.gov.cn --display 王某 --out rogue --no-passphrase --unsafe-skip-checks >/dev/null
run chancery doc sign "${documents[0]}" --to nb.zj.gov.cn --type 通知 --title 越权的通知 \
    --key rogue/wang.key --cert rogue/wang.pem --out rogue-document
expect 5 CHAIN_CONSTRAINTS_FAILURE chancery verify rogue-document

step '9. Forgery three: a copy of a ledger whose end is cut off (截断账本)'
cp -r ledger-nb truncated
entries=$(find truncated/tile/entries -type f | sort | tail -n 1)
run truncate --size=-200 "$entries"
expect 1 TOTAL-FAILED chancery audit truncated

step '10. Forgery four: the receiving node is rolled back to before the transfer (回退账本)'
stop_node nb TERM
mv nb/data nb/after
mv before nb/data
# The node itself does not go on with it …
expect 3 CHY-4042 chancery node run --config nb/node.toml
# … and who shows an auditor the ledger as it was once is found out.
expect 0 TOTAL-PASSED chancery audit ledger-rolled-back
expect 1 LEDGER_ROLLED_BACK chancery audit ledger-rolled-back --against ledger-hz

step 'Every step came out as it should: sent, survived, signed for, answered, audited, and each forgery caught.'
