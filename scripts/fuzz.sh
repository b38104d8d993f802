#!/usr/bin/env bash
# Runs every fuzz target for some seconds each; the first crash ends it. Needs nightly and cargo-fuzz; `scripts/fuzz.sh --stable
# SECONDS` does with the compiler of the build, and mutates the corpus without a look at coverage.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
if [ "$seconds" = --stable ]; then
    FUZZ_SECONDS=${2:-60} exec cargo test --release --locked -p chancery-tests --test fuzz -- --nocapture every_fuzz_target
fi
# The corpus is kept as one archive; `scripts/fuzz.sh keep` minimizes it and packs it again.
[ -d fuzz/corpus ] || tar -xJf fuzz/corpus.tar.xz -C fuzz
if [ "$seconds" = keep ]; then
    for target in $(cargo +nightly fuzz list); do cargo +nightly fuzz cmin "$target"; done
    tar -cJf fuzz/corpus.tar.xz -C fuzz --sort=name --owner=0 --group=0 --mtime=@0 corpus
    exit
fi
for target in $(cargo +nightly fuzz list); do
    printf '== %s\n' "$target"
    # The memory limit is part of the test: no input may take more than its measure.
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 \
        -max_len=65536 -print_final_stats=0 -verbosity=0
done
