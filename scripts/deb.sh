#!/usr/bin/env bash
# Makes the Debian package: scripts/deb.sh BINARY FOLDER. It needs dpkg-deb and gzip.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
revision=${DEB_REVISION:-1}
architecture=$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

install -D -m 755 "$binary" "$tree/usr/bin/chancery"
strip "$tree/usr/bin/chancery" 2>/dev/null || true
for unit in chancery chancery-tsa; do
    install -d "$tree/lib/systemd/system"
    sed 's|/usr/local/bin|/usr/bin|' "packaging/$unit.service" >"$tree/lib/systemd/system/$unit.service"
done
install -D -m 644 packaging/chancery.sysusers "$tree/usr/lib/sysusers.d/chancery.conf"
install -d "$tree/usr/share/bash-completion/completions" "$tree/usr/share/zsh/vendor-completions" \
    "$tree/usr/share/fish/vendor_completions.d" "$tree/usr/share/man/man1" "$tree/usr/share/doc/chancery/examples"
"$binary" completions bash >"$tree/usr/share/bash-completion/completions/chancery"
"$binary" completions zsh >"$tree/usr/share/zsh/vendor-completions/_chancery"
"$binary" completions fish >"$tree/usr/share/fish/vendor_completions.d/chancery.fish"
"$binary" man --out "$tree/usr/share/man/man1"
gzip -9n "$tree"/usr/share/man/man1/*.1
"$binary" node settings >"$tree/usr/share/doc/chancery/examples/node.toml"
"$binary" node policies >"$tree/usr/share/doc/chancery/examples/policies.cedar"
install -m 644 LICENSE "$tree/usr/share/doc/chancery/copyright"
gzip -9nc CHANGELOG.md >"$tree/usr/share/doc/chancery/changelog.gz"
install -m 644 docs/operators.md docs/errors.md docs/security.md "$tree/usr/share/doc/chancery/"
find "$tree" -type f ! -path '*/bin/*' -exec chmod 644 {} +
find "$tree" -type d -exec chmod 755 {} +

install -d "$tree/DEBIAN"
for script in postinst prerm postrm; do install -m 755 "packaging/debian/$script" "$tree/DEBIAN/$script"; done
cat >"$tree/DEBIAN/control" <<CONTROL
Package: chancery
Version: $version-$revision
Architecture: $architecture
Maintainer: Chancery maintainers <maintainers@chancery.invalid>
Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f 1)
Depends: libc6 (>= $(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)), libgcc-s1, libstdc++6
Recommends: systemd, chrony | time-daemon
Section: net
Priority: optional
Description: secure document exchange and e-signature for government
 A node exchanges signed, end-to-end encrypted official documents with other
 agencies over QUIC and keeps an append-only ledger that auditors verify
 offline. The same program is the command line of operators, clerks and auditors.
CONTROL
package=$out/chancery_$version-${revision}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$tree" "$package" >/dev/null
echo "$package"
