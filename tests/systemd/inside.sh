#!/usr/bin/env bash
# What the test under systemd does, in the system that boot.sh has booted. Each line says what it shows.
set -euo pipefail
world=$1
cd "$world"
broken() {
    printf 'failed: line %s\n' "$1"
    journalctl --sync || true
    journalctl --no-pager -n 40 || true
}
trap 'broken $LINENO' ERR

say() { printf '== %s\n' "$*"; }
fail() { printf 'failed: %s\n' "$*"; return 1; }
# Waits until a command succeeds.
until_so() {
    local what=$1 n
    shift
    for n in $(seq 200); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    fail "$what"
}
pid() { systemctl show -P MainPID chancery; }
# Whether the node's log has a text. All of the log is read: a pipe that is closed early would be a failure.
logged() { journalctl --sync && journalctl --no-pager -o cat -u chancery | grep "$1" >/dev/null; }

say 'the package installs, and the user is there'
ip link set lo up
dpkg -i first/*.deb
id chancery
# As the operator's home would be: the user chancery reads certificates, and the keys that it is given.
chmod 711 .
chmod -R a+rX root certs-a
install -d -o chancery keys
install -m 600 -o chancery certs-a/seal.key certs-a/node.key tsa/timestamp.key keys/
runuser -u chancery -- chancery node init --dir /etc/chancery \
    --data /var/lib/chancery --socket /run/chancery/node.sock \
    --agency a.zj.gov.cn --display A --listen 127.0.0.1:7400 \
    --anchor root/ca.pem --registrar registry.zj.gov.cn \
    --seal-cert certs-a/seal.pem --seal-key keys/seal.key --node-cert certs-a/node.pem --node-key keys/node.key
chancery directory publish --key registry/seal.key --cert registry/seal.pem --version-number 2 --out directory.cose \
    --anchor root/ca.pem /etc/chancery/agency.card b/agency.card
install -m 644 directory.cose /etc/chancery/directory.cose
install -m 644 directory.cose b/directory.cose

say 'it starts, and is ready when systemctl returns'
systemctl enable chancery
systemctl start chancery
chancery node status --socket /run/chancery/node.sock
logged '"node is up"'

say 'it has no capability, a system-call filter, no new privileges, and runs as its own user'
status=/proc/$(pid)/status
grep '^CapEff:.*0000000000000000' "$status"
grep '^CapBnd:.*0000000000000000' "$status"
grep '^Seccomp:.*2' "$status"
grep '^NoNewPrivs:.*1' "$status"
[ "$(ps -o user= -p "$(pid)")" = chancery ]
# Its own view of the files has no place to write but two.
inside() { nsenter -t "$(pid)" -m -S "$(id -u chancery)" "$@"; }
if inside touch /etc/chancery/x 2>/dev/null; then fail 'it can write to its configuration'; fi
if inside touch /var/tmp/x 2>/dev/null && [ -e /var/tmp/x ]; then fail 'it can write where others can'; fi
inside touch /var/lib/chancery/x
rm /var/lib/chancery/x

say 'documents go out, and come in at another node'
chancery node run --config b/node.toml >b.log 2>&1 &
until_so 'the other node starts' chancery node status --socket b/node.sock
send() {
    chancery send note.txt --to b.zj.gov.cn --type notice --title "$1" --key certs-a/clerk.key --cert certs-a/clerk.pem \
        --socket /run/chancery/node.sock --wait 30
}
send first
chancery ledger backup --socket /run/chancery/node.sock

say 'a reload is over when systemctl returns, and disconnects nobody'
before=$(pid)
systemctl reload chancery
[ "$(pid)" = "$before" ]
logged 'seal and node certificate are those in the files now'
[ "$(systemctl is-active chancery)" = active ]
send second

say 'a killed node is started again, and has lost nothing'
kill -9 "$before"
until_so 'it is back' sh -c "[ \"\$(systemctl show -P MainPID chancery)\" != $before ] && systemctl is-active -q chancery"
send third
[ "$(chancery --json outbox --socket /run/chancery/node.sock | grep -o '"envelope"' | wc -l)" -eq 3 ]

say 'a node that hangs is noticed by the watchdog'
mkdir -p /etc/systemd/system/chancery.service.d
printf '[Service]\nWatchdogSec=2\n' >/etc/systemd/system/chancery.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart chancery
before=$(pid)
sleep 5
[ "$(pid)" = "$before" ] || fail 'a node that works was taken for one that hangs'
kill -STOP "$before"
until_so 'it is replaced' sh -c "[ \"\$(systemctl show -P MainPID chancery)\" != $before ] && systemctl is-active -q chancery"
logged 'Watchdog timeout'
rm -r /etc/systemd/system/chancery.service.d
systemctl daemon-reload

say 'a wrong configuration is said, and not tried again and again'
cp /etc/chancery/node.toml good.toml
sed -i 's/^agency/agencie/' /etc/chancery/node.toml
if systemctl restart chancery; then fail 'it started'; fi
sleep 3
[ "$(systemctl show -P NRestarts chancery)" = 0 ]
[ "$(systemctl is-failed chancery)" = failed ]
logged 'did you mean `agency`'
cp good.toml /etc/chancery/node.toml
systemctl reset-failed chancery
systemctl start chancery

say 'an upgrade restarts it on the same store'
before=$(pid)
dpkg -i second/*.deb
until_so 'it is back' systemctl is-active -q chancery
[ "$(pid)" != "$before" ]
send fourth
[ "$(chancery --json outbox --socket /run/chancery/node.sock | grep -o '"envelope"' | wc -l)" -eq 4 ]

say 'the time-stamping authority runs under its unit'
install -m 600 -o chancery keys/timestamp.key /etc/chancery/tsa.key
install -m 644 tsa/timestamp.pem /etc/chancery/tsa.pem
systemctl start chancery-tsa
chancery doc sign note.txt --to b.zj.gov.cn --type notice --title stamped --key certs-a/clerk.key \
    --cert certs-a/clerk.pem --tsa http://127.0.0.1:3180 --level t --out stamped
chancery verify stamped --anchor root/ca.pem
grep '^Seccomp:.*2' "/proc/$(systemctl show -P MainPID chancery-tsa)/status"

say 'it stops in order; an auditor finds all of it'
chancery ledger export --socket /run/chancery/node.sock --out exported
systemctl stop chancery chancery-tsa
logged '"stopped"'
chancery audit exported --anchor root/ca.pem
chancery audit /var/lib/chancery --anchor root/ca.pem

say 'what is removed and purged leaves keys and ledger'
dpkg -P chancery
[ ! -e /usr/bin/chancery ]
[ -e /etc/chancery/node.toml ]
[ -e /var/lib/chancery/store/CURRENT ]
say 'done'
