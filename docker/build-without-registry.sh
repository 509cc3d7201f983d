#!/bin/sh
# Build both images where no registry of images is reached: on a base made by debootstrap, without a container engine.
# As root, on Debian, with buildah and debootstrap: docker/build-without-registry.sh
#
# Authorities that this machine trusts and Debian does not (that of a proxy) go into the base.
set -eu
cd "$(dirname "$0")/.."

BASE=localhost/chu-base:bookworm
: "${MIRROR:=http://deb.debian.org/debian}"
BUNDLE=/etc/ssl/certs/ca-certificates.crt

# A certificate a line, sorted.
certificates() {
    awk '/BEGIN CERT/ {c = ""} {c = c $0 "\\n"} /END CERT/ {print c}' "$1" | sort -u
}

if ! buildah inspect --type image "$BASE" >/dev/null 2>&1; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    unset TMPDIR # it is not in the base, in which commands run now
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/base" "$MIRROR"
    certificates "$BUNDLE" > "$work/here"
    certificates "$work/base$BUNDLE" > "$work/there"
    comm -23 "$work/here" "$work/there" | while read -r certificate; do
        n=$((${n:-0} + 1))
        printf '%b' "$certificate" > "$work/base/usr/local/share/ca-certificates/of-the-builder-$n.crt"
    done
    chroot "$work/base" update-ca-certificates
    container=$(buildah from scratch)
    buildah add "$container" "$work/base" / >/dev/null
    buildah config --env PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin "$container"
    buildah commit --rm "$container" "$BASE"
fi

for image in platform spark; do
    buildah build --isolation chroot --network host --format docker --layers \
        --build-arg "BASE=$BASE" --file "docker/$image.Dockerfile" --tag "chu-$image" .
done
