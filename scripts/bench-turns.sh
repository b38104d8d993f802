#!/usr/bin/env bash
# Compares two builds on one machine, in turns: scripts/bench-turns.sh OLD NEW [TURNS] [WORDS FOR bench exchange].
# Both must be built the same way (`make build`). Each turn runs either once, in an order that changes; what is printed is the median
# over the turns of how much longer NEW takes than OLD, where 1.00 is the same and 1.03 is three hundredths more. Ends with 1
# when a document takes more than LIMIT (1.03) times as long.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
old=$(realpath "$1") new=$(realpath "$2") turns=${3:-5}
shift $(($# < 3 ? $# : 3))
[ $# -gt 0 ] || set -- --documents 4000 --file-mib 256
limit=${LIMIT:-1.03}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() { # NAME BINARY TURN
    "$2" --json bench exchange "${@:4}" >"$work/$1-$3.json"
    printf '%s %s: %.0f documents/s, sender %.0f us, receiver %.0f us a document\n' "$3" "$1" \
        "$(value "$1" "$3" delivered_per_second)" "$(value "$1" "$3" sender_cpu_us_per_document)" \
        "$(value "$1" "$3" receiver_cpu_us_per_document)" >&2
}
value() { # NAME TURN FIELD
    tr -d ' \n' <"$work/$1-$2.json" | grep -o "\"$3\":[0-9.]*" | head -n 1 | cut -d : -f 2
}
for turn in $(seq "$turns"); do
    if [ $((turn % 2)) -eq 1 ]; then
        run old "$old" "$turn" "$@"
        run new "$new" "$turn" "$@"
    else
        run new "$new" "$turn" "$@"
        run old "$old" "$turn" "$@"
    fi
done

ratio() { # FIELD, and 1 where more is better
    for turn in $(seq "$turns"); do
        awk -v old="$(value old "$turn" "$1")" -v new="$(value new "$turn" "$1")" -v rate="${2:-0}" \
            'BEGIN { printf "%.4f\n", rate ? old / new : new / old }'
    done | sort -n | awk '{ r[NR] = $1 } END { printf "%.3f\n", NR % 2 ? r[(NR + 1) / 2] : (r[NR / 2] + r[NR / 2 + 1]) / 2 }'
}
whole=$(ratio delivered_per_second 1)
printf 'median of %s turns, new / old:\n' "$turns"
printf '  %-44s%s\n' 'time for a document, delivered with receipt' "$whole" \
    'processor time, sender' "$(ratio sender_cpu_us_per_document)" \
    'processor time, receiver' "$(ratio receiver_cpu_us_per_document)" \
    'a lone document, delivered, p50' "$(ratio delivered_p50_ms)"
if grep -q '"file"' "$work/new-1.json"; then
    printf '  %-44s%s\n' 'a large file, whole way' "$(ratio whole_mib_per_second 1)"
fi
awk -v ratio="$whole" -v limit="$limit" 'BEGIN { exit ratio > limit }' ||
    { echo "bench-turns: $whole is more than $limit" >&2; exit 1; }
