#!/bin/bash
# Installs a deb into a clean Debian 12 and starts its app there under Xvfb, as a newcomer's machine would.
#
#   try-deb.sh DEB [FOLDER]
#
# FOLDER (/var/tmp/lull-bookworm by default) keeps the clean system, so that a second run does not download it again;
# each run installs into a fresh copy of it. Needs root, debootstrap and Debian's archive.
set -euo pipefail

deb=$(realpath "${1:?usage: try-deb.sh DEB [FOLDER]}")
clean=${2:-/var/tmp/lull-bookworm}
root=$(mktemp -d /var/tmp/lull-try-XXXXXX)
# A deb822 or a one-line source, whichever this system has.
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\(http[^ ]*\).*/\2/p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1 || true)

cleanup() {
  # Services that the desktop's libraries have started live on in there, and hold its mounts.
  for process in /proc/[0-9]*; do
    [ "$(readlink "$process/root")" = "$root" ] && kill -KILL "${process#/proc/}"
  done
  for folder in dev/shm dev proc; do
    mountpoint -q "$root/$folder" && umount --lazy "$root/$folder"
  done
  # Only when nothing of this system's is mounted in it any more.
  mount | grep -q " $root/" || rm -rf --one-file-system "$root"
}
trap 'set +e; cleanup' EXIT

if [ ! -e "$clean/.complete" ]; then
  echo "making a clean Debian 12 in $clean"
  debootstrap --variant=minbase bookworm "$clean" "${mirror:-http://deb.debian.org/debian}" >"$clean.log" 2>&1
  touch "$clean/.complete"
fi
cp -a "$clean/." "$root/"
cp /etc/resolv.conf "$root/etc/"
# The same trust in the archive as this system has.
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
mkdir -p "$root/etc/ssl" && cp -aL /etc/ssl/certs "$root/etc/ssl/" 2>/dev/null || true
# Services are not started in a folder.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
cp "$deb" "$root/lull.deb"

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
began=$(date +%s)
inside apt-get update -qq
inside apt-get install -y -qq /lull.deb >"$clean.install.log" 2>&1 || { tail -20 "$clean.install.log"; exit 1; }
echo "installed in $(($(date +%s) - began)) s: $(inside dpkg-query -W -f '${Package} ${Version}' lull)"
# What a desktop has and a minimal system has not.
inside apt-get install -y -qq --no-install-recommends xvfb xauth xdotool dbus >/dev/null 2>&1
inside desktop-file-validate /usr/share/applications/Lull.desktop 2>/dev/null || true

cat >"$root/try.sh" <<'X'
set -eu
export HOME=/tmp/home XDG_RUNTIME_DIR=/tmp/run GSETTINGS_BACKEND=memory
mkdir -p "$HOME" && mkdir -m 700 -p "$XDG_RUNTIME_DIR"
lull & app=$!
window=
for _ in $(seq 300); do
  window=$(xdotool search --onlyvisible --name '^Lull$' 2>/dev/null | head -1) && [ -n "$window" ] && break
  kill -0 $app
  sleep 0.2
done
[ -n "$window" ] || { echo "no window was seen"; exit 1; }
echo "window $window: $(xdotool getwindowgeometry "$window" | tr '\n' ' ')"
answered=
for _ in $(seq 150); do
  lull-worker status && answered=yes && break
  sleep 0.2
done
[ -n "$answered" ] || { echo "the worker did not answer"; exit 1; }
kill -TERM $app
wait $app
# Quitting ends the worker too.
if lull-worker status >/dev/null 2>&1; then echo "the worker is still there"; exit 1; fi
echo "the app has quit, and the worker with it"
X
inside dbus-run-session -- xvfb-run -a sh /try.sh
echo "the deb works in a clean Debian 12"
