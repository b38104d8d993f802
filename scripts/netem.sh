#!/usr/bin/env bash
# Runs the tests of bad networks (tests/tests/network.rs) with `tc netem`: scripts/netem.sh [WORDS FOR THE TEST PROGRAM].
# Where this machine's kernel has netem, they run here. Else they run in an emulated machine with Debian's kernel,
# over this machine's files, which it can only read: slowly, and needing nothing of this machine's kernel.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'netem: %s\n' "$*" >&2; }

say 'building the tests'
program=$(cargo test --release --workspace --locked --test network --no-run 2>&1 |
    tee /dev/stderr | sed -n 's/.*Executable .*(\(.*\))$/\1/p' | tail -n 1)
cargo build --release --workspace --locked
program=$(realpath "$program")
CARGO_MANIFEST_DIR=$PWD/tests
export CARGO_MANIFEST_DIR

if [ "$(id -u)" -eq 0 ] && ip netns add netem-probe 2>/dev/null; then
    has=no
    tc -n netem-probe qdisc add dev lo root netem delay 1ms 2>/dev/null && has=yes
    ip netns del netem-probe
    if [ $has = yes ]; then
        say "this kernel has netem"
        exec "$program" "$@"
    fi
fi

# Folders that are the emulated machine's own.
for path in "$program" "$CARGO_MANIFEST_DIR"; do
    case $path in /tmp/* | /run/* | /dev/*)
        say "$path would be hidden in the emulated machine: put checkout and target folder elsewhere"
        exit 1
        ;;
    esac
done
command -v apt-get >/dev/null || { say 'this kernel has no netem, and without apt-get no other can be fetched'; exit 1; }
missing=()
for pair in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio modprobe:kmod depmod:kmod; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
image=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: //p' | head -n 1)
say "fetching $image"
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$image" && dpkg-deb -x ./*.deb kernel)
version=$(basename "$work"/kernel/lib/modules/*)
depmod -b "$work/kernel" "$version"

# The first files: a shell, and the modules in the order in which they need one another.
boot=$work/boot
mkdir -p "$boot"/{bin,modules,proc,sys,dev,root}
cp "$(command -v busybox)" "$boot/bin/busybox"
for module in virtio_pci 9pnet_virtio 9p sch_netem veth bridge; do
    modprobe -S "$version" -d "$work/kernel" --show-depends $module | awk '/^insmod/ { print $2 }'
done | awk '!seen[$0]++' | while read -r file; do
    cp "$file" "$boot/modules/"
    echo "/modules/$(basename "$file")" >>"$boot/order"
done
# That one needs no bad network, and sends gigabytes.
printf '%q ' "$program" "$@" --skip an_urgent_document >"$boot/command"
cat >"$boot/init" <<INIT
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc; \$b mount -t sysfs sys /sys; \$b mount -t devtmpfs dev /dev
for module in \$(\$b cat /order); do \$b insmod \$module; done
\$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=1048576,cache=loose,ro host /root
for place in proc sys dev; do \$b mount --move /\$place /root/\$place; done
\$b mount -t tmpfs run /root/run; \$b mkdir -p /root/dev/shm; \$b mount -t tmpfs shm /root/dev/shm
\$b mount -t tmpfs -o size=75% tmp /root/tmp
command=\$(\$b cat /command)
\$b chroot /root /bin/bash -c "ip link set lo up; cd $CARGO_MANIFEST_DIR && CARGO_MANIFEST_DIR=$CARGO_MANIFEST_DIR SOAK_DOCUMENTS=${SOAK_DOCUMENTS:-} \$command; echo netem exit \\\$?"
\$b sync
\$b poweroff -f
INIT
chmod +x "$boot/init"
(cd "$boot" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/boot.gz"

say 'starting the emulated machine'
qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp "${CPUS:-2}" -m "${MEMORY:-8G}" -nographic -no-reboot -nic none \
    -kernel "$work/kernel/boot/vmlinuz-$version" -initrd "$work/boot.gz" \
    -append 'console=ttyS0 quiet loglevel=3 nokaslr mitigations=off panic=-1' \
    -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
    -device virtio-9p-pci,fsdev=host,mount_tag=host </dev/null | tee "$work/console"
grep -q 'netem exit 0' "$work/console"
