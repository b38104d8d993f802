#!/usr/bin/env bash
# Checks what building Chancery needs and, on Debian and its kin, installs what is missing.
# RocksDB's bindings are made with libclang; everything else is Rust and a C++ compiler.
set -euo pipefail

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

command -v cargo >/dev/null || fail 'cargo is missing. Install Rust 1.92 or newer (https://rustup.rs).'

missing=()
command -v c++ >/dev/null || missing+=(g++)
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return
    # Not libclang-cpp.so, which lies there too and is another library.
    local folder pattern
    for folder in '/usr/lib/llvm-*/lib' '/usr/lib/*-linux-gnu*' /usr/lib /usr/local/lib; do
        for pattern in 'libclang.so*' 'libclang-[0-9]*.so*'; do
            compgen -G "$folder/$pattern" >/dev/null && return
        done
    done
    return 1
}
has_libclang || missing+=(libclang-dev)
# The tests show that others accept what we make: with OpenSSL, Python, zip, and a software HSM. Without
# them those tests say that they were skipped.
if [[ "${1:-}" = @(tests|soak) ]] && command -v apt-get >/dev/null; then
    for pair in openssl:openssl curl:curl zip:zip unzip:unzip softhsm2-util:softhsm2 pkcs11-tool:opensc faketime:faketime \
        ip:iproute2 tc:iproute2 setpriv:util-linux pdftotext:poppler-utils; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
    done
    # What is printed is printed with these.
    [ -e /usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc ] || missing+=(fonts-noto-cjk)
    # Debian does not put the server's programs on the path.
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
fi
# What takes over by itself when a database is lost.
if [ "${1:-}" = soak ] && command -v apt-get >/dev/null; then
    for pair in patroni:patroni etcd:etcd-server; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
    done
fi
[ ${#missing[@]} -eq 0 ] && exit 0

command -v apt-get >/dev/null ||
    fail "missing: ${missing[*]}. Install them with this system's package manager."
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "missing: ${missing[*]}. Run as root: apt-get install ${missing[*]}"
    as_root=(sudo)
fi
say "installing ${missing[*]} with apt-get"
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
say 'done'
