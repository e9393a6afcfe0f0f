#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing of Debian's packages: `deps.sh build` what the build needs, `deps.sh demo`
# a real video for the demo, `deps.sh test` what the tests drive; several words at once, none for
# all. Does nothing, quickly, when everything is there.
#
# Without the packages for building it fails. Without one of the others it says so and goes on: the
# tests that need it are skipped and counted.
set -eu

BUILD="gcc make pkg-config python3 libev-dev libconfig-dev libssl-dev libcmocka-dev node-llhttp
libc-ares-dev libjansson-dev zlib1g-dev"
DEMO="forensics-samples-files"
TEST="$DEMO ffmpeg curl libgstrtspserver-1.0-dev gstreamer1.0-tools gstreamer1.0-plugins-base
gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav
gstreamer1.0-rtsp libfuse3-dev e2fsprogs mpv vlc-bin vlc-plugin-base nginx-light chromium clang libclang-rt-14-dev cppcheck"

usage() {
    echo "usage: deps.sh [build] [demo] [test]" >&2
    exit 2
}

# The packages of a list that are not installed.
missing() {
    # shellcheck disable=SC2086,SC2116 # a list of words, on one line for awk
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' $1 2>/dev/null |
        awk -v wanted="$(echo $1)" '
            $2 == "installed" { there[$1] = 1 }
            END {
                count = split(wanted, names)
                for (i = 1; i <= count; i++)
                    if (!(names[i] in there))
                        printf "%s ", names[i]
            }'
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "deps.sh: neither root nor sudo: install these as root: $absent" >&2
        return 1
    fi
}

apt() {
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 -q "$@"
}

updated=no
update_once() {
    [ $updated = yes ] || apt update || true # what is listed already may do
    updated=yes
}

# Installs a list; false when one of it is still missing.
install() {
    absent=$(missing "$1")
    [ -n "$absent" ] || return 0
    echo "deps.sh: installing $absent"
    update_once
    # shellcheck disable=SC2086
    if ! apt install -y --no-install-recommends $absent; then
        for package in $absent; do # one that cannot be had must not hold up the others
            apt install -y --no-install-recommends "$package" || true
        done
    fi
    case $absent in
    *nginx-light*) as_root systemctl disable --now nginx 2>/dev/null || true ;; # started by its package
    esac
    absent=$(missing "$1")
    [ -z "$absent" ]
}

# The player of the browser tests. Without npm, or without a registry, those tests are skipped.
players() {
    command -v npm >/dev/null || return 0
    [ -e build/npm/node_modules/hls.js/dist/hls.min.js ] && return 0
    mkdir -p build/npm
    npm install --prefix build/npm --no-save --no-audit --no-fund --loglevel=error hls.js@1 ||
        echo "deps.sh: hls.js cannot be had" >&2
}

for word in "$@"; do
    case $word in
    build | demo | test) ;;
    *) usage ;;
    esac
done
[ $# -gt 0 ] || set -- build demo test

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps.sh: this is not Debian, nothing is installed; the build needs: $BUILD" >&2
    exit 0
fi
for word in "$@"; do
    case $word in
    build) install "$BUILD" || { echo "deps.sh: cannot be installed: $absent" >&2; exit 1; } ;;
    demo) install "$DEMO" || echo "deps.sh: not there: $absent" >&2 ;;
    test)
        install "$TEST" ||
            echo "deps.sh: not there, tests that need them are skipped: $absent" >&2
        players
        ;;
    esac
done
