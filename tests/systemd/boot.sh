#!/usr/bin/env bash
# boot.sh WORLD: boots systemd as process 1 of namespaces of its own, over a copy of this machine's files that is
# thrown away afterwards, and has it run inside.sh. Prints what that says; the exit code is inside.sh's.
# 77 means that this machine cannot do it.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
world=$(realpath "$1")

if [ "${2:-}" != inside ]; then
    systemd=/lib/systemd/systemd
    [ "$(id -u)" -eq 0 ] && [ -x "$systemd" ] && command -v dpkg unshare >/dev/null &&
        grep -q overlay /proc/filesystems && unshare --mount --cgroup true 2>/dev/null || exit 77
    code=0
    unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child "$0" "$world" inside >"$world/boot.log" 2>&1 ||
        code=$?
    [ "$code" -ne 77 ] || exit 77
    if [ -e "$world/inside.log" ]; then cat "$world/inside.log"; fi
    if [ ! -e "$world/inside.code" ]; then
        echo "systemd did not get so far (exit code $code):"
        tail -n 40 "$world/boot.log"
        exit 1
    fi
    exit "$(cat "$world/inside.code")"
fi

# What a machine does not allow is known before systemd starts.
trap 'exit 77' ERR
mount --make-rprivate /
stage=$world/stage
mkdir -p "$stage"
mount -t tmpfs tmpfs "$stage"
mkdir "$stage/upper" "$stage/work" "$stage/root"
root=$stage/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$stage/upper,workdir=$stage/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
for node in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
# Other tests fill the machine's folder of temporary files meanwhile.
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root$world"
mount --bind "$world" "$root$world"
trap - ERR

units=$root/etc/systemd/system
mkdir -p "$units"
cp "$here/inside.sh" "$root/run/inside.sh"
cat >"$units/inside.service" <<UNIT
[Unit]
After=basic.target
Requires=basic.target
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
WorkingDirectory=$world
StandardOutput=file:$world/inside.log
StandardError=inherit
TimeoutStartSec=240
ExecStart=/bin/bash /run/inside.sh $world
ExecStopPost=/bin/sh -c 'echo "\$EXIT_STATUS" > $world/inside.code'
UNIT
# What a machine starts besides is not looked at here.
for unit in systemd-udevd.service systemd-networkd.service systemd-resolved.service systemd-logind.service \
    systemd-tmpfiles-setup.service systemd-timesyncd.service; do
    ln -sfn /dev/null "$units/$unit"
done
: >"$root/etc/machine-id"
# Units with file systems of their own need a real root, not a chroot.
mkdir "$root/.old"
cd "$root"
pivot_root . .old
umount -l /.old
exec env -i container=chancery PATH="$PATH" /lib/systemd/systemd --unit=inside.service --show-status=no
