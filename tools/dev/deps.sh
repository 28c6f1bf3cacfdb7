#!/bin/bash
# Installs those of the named Debian packages that are missing; says what it does and why. Nothing
# is done, and nothing is asked, when all of them are there.
set -eu
missing=()
for package in "$@"; do
    status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [[ $status == "install ok installed" ]] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "glia needs these Debian packages, and you are neither root nor have sudo:" \
            "${missing[*]}" >&2
        exit 1
    }
    sudo=sudo
fi
echo "glia is built and tested with these Debian packages, which are missing here; installing them:"
echo "  $sudo apt-get install -y --no-install-recommends ${missing[*]}"
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}"
