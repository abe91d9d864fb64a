#!/bin/sh
# A Debian package of batchd with all that it needs, for the release (and its Python) that this is run on:
#
#     deploy/debian/build.sh WHEEL MAN_PAGES FOLDER
#
# puts batchd_VERSION_ARCHITECTURE.deb into FOLDER. Needs python3-venv, and systemd for the form of the units.
set -eu

wheel=$(realpath "$1")
pages=$(realpath "$2")
folder=$(realpath "$3")
here=$(dirname "$(realpath "$0")")
version=$(basename "$wheel" | cut -d - -f 2)
architecture=$(dpkg --print-architecture)
minor=$(python3 -c 'import sys; print(sys.version_info.minor)')
program=/usr/lib/batchd

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
tree=$work/tree
home=$tree$program
mkdir -p "$home/bin" "$tree/DEBIAN" "$tree/usr/share/doc/batchd"

# The packages of the lock, checked by their hashes, and the wheel: an environment as venv makes one, in its later place.
python3 -m venv "$work/venv"
python3 -m zipfile -e "$wheel" "$work/wheel"
install_into_home() {
    "$work/venv/bin/python" -m pip --disable-pip-version-check install --quiet --no-compile --prefix "$home" "$@"
}
install_into_home --require-hashes --requirement "$work/wheel/batchd/host/files/runtime.lock"
install_into_home --no-deps "$wheel"
printf 'home = /usr/bin\ninclude-system-site-packages = false\n' > "$home/pyvenv.cfg"
ln -s /usr/bin/python3 "$home/bin/python"
rm "$home/bin/batchd-host" # dpkg does that here
for script in "$home"/bin/*; do
    if [ "$(head -c 2 "$script")" = '#!' ]; then
        sed -i "1s|.*|#!$program/bin/python|" "$script"
    fi
done
python3 -m compileall -qq -s "$tree" -p / --invalidation-mode unchecked-hash "$home/lib" || true # some files are templates

python3 "$wheel/batchd/host" stage "$tree" "$program"
for section in 1 5 8; do
    mkdir -p "$tree/usr/share/man/man$section"
    cp "$pages"/*."$section" "$tree/usr/share/man/man$section"
    gzip -9n "$tree/usr/share/man/man$section"/*
done
rm "$tree/usr/share/man/man8/batchd-host.8.gz"
install -m 0644 "$here/copyright" "$tree/usr/share/doc/batchd/copyright"

for script in preinst prerm postinst postrm; do
    install -m 0755 "$here/$script" "$tree/DEBIAN/$script"
done
echo /etc/batchd/batchd.env > "$tree/DEBIAN/conffiles"
cat > "$tree/DEBIAN/control" << CONTROL
Package: batchd
Version: $version
Architecture: $architecture
Maintainer: The maintainers of batchd <batchd@localhost>
Installed-Size: $(du -sk "$tree" | cut -f 1)
Depends: python3 (>= 3.$minor), python3 (<< 3.$((minor + 1))), systemd, ca-certificates
Section: utils
Priority: optional
Description: durable, exactly-once batch jobs from dropped CSV files
 batchd watches an inbox. Each new CSV file starts one Temporal workflow that
 calls an HTTP API once for every row, writes the enriched rows as JSON, and
 ends with a manifest that proves the result.
CONTROL
dpkg-deb --root-owner-group -Zzstd --build "$tree" "$folder/batchd_${version}_$architecture.deb"
