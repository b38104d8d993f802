#!/usr/bin/env bash
# Runs all tests and says at the end how long each suite took, beside what it may take. A suite that takes longer is no failure:
# it is to be looked at, or belongs into `make soak`.
#
#   scripts/test.sh COMMAND…      the command that runs the tests, such as `cargo test --release`
set -euo pipefail
cd "$(dirname "$0")/.."

# Minutes, once built, on two cores. Whatever is not named here may take one. Together: thirty.
declare -A budget=(
    [adversary]=4 [network]=4 [mutation]=4 [kill]=3 [standby]=2 [fuzz]=2 [peers]=1 [disk]=1 [broadcast]=1 [package]=1
)
most=30

log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
"$@" 2>&1 | tee "$log" || code=$?

awk '
    / Running / { name = $0; sub(/.*Running (unittests )?/, "", name); sub(/ \(.*/, "", name); file = $0; sub(/.*\//, "", file); sub(/-[0-9a-f]+\).*/, "", file); suite = file }
    / Doc-tests / { suite = "doc-" $2 }
    /finished in/ { time = $0; sub(/.*finished in /, "", time); sub(/s.*/, "", time); took[suite] += time }
    END { for (suite in took) printf "%s %.1f\n", suite, took[suite] }
' "$log" | sort -k2,2nr >"$log.times"
total=0
echo
echo 'test: how long the suites took (minutes, and what each may take)'
while read -r suite seconds; do
    total=$(awk -v a="$total" -v b="$seconds" 'BEGIN { print a + b }')
    may=${budget[$suite]:-1}
    awk -v suite="$suite" -v seconds="$seconds" -v may="$may" 'BEGIN {
        if (seconds >= 5 || seconds > may * 60)
            printf "  %-28s %5.1f of %d%s\n", suite, seconds / 60, may, (seconds > may * 60 ? "  TOO LONG" : "")
    }'
done <"$log.times"
rm -f "$log.times"
awk -v total="$total" -v most="$most" 'BEGIN {
    printf "  %-28s %5.1f of %d%s\n", "all", total / 60, most, (total > most * 60 ? "  TOO LONG" : "")
}'
exit "$code"
