#!/bin/bash
# Sets up a toolchain that builds the on-chain program, on Debian 12 and newer, without root and without changing the
# system: Debian's newest Rust, unpacked into a folder, and the linker of xtask/sbpf-ld.
#
#   program-toolchain.sh FOLDER     a second run does nothing that is done
#
# Then FOLDER/rustc is the compiler and FOLDER/sbpf-ld the linker.
set -euo pipefail
folder=$(realpath -m "${1:?usage: program-toolchain.sh FOLDER}")
here=$(realpath "$(dirname "$0")")
export LC_ALL=C.UTF-8
mkdir -p "$folder"

if [ ! -x "$folder/rustc" ]; then
  # The names of two packages hold versions, so they are looked up.
  depends() { apt-cache depends "$1" | sed -n 's/^ *Depends: //p' | grep -m1 "^$2"; }
  library=$(depends libstd-rust-web-dev libstd-rust-web-)
  llvm=$(depends "$library" libllvm)
  packages=(rustc-web rust-web-src libstd-rust-web-dev "$library" "$llvm")
  echo "downloading ${packages[*]} (140 MB, once)"
  unpacked=$folder/debian
  rm -rf "$unpacked" "$folder/packages"
  mkdir -p "$unpacked" "$folder/packages"
  (cd "$folder/packages" && apt-get download -qq "${packages[@]}" 2>/dev/null)
  for package in "$folder/packages/"*.deb; do
    dpkg-deb -x "$package" "$unpacked"
  done
  rm -rf "$folder/packages"
  # The packaged link to the standard library's source is absolute.
  source=$(cd "$unpacked" && ls -d usr/src/rustc-*)
  rm -rf "$unpacked/usr/lib/rustlib/src/rust"
  mkdir -p "$unpacked/usr/lib/rustlib/src"
  ln -s "../../../../$source" "$unpacked/usr/lib/rustlib/src/rust"
  # LLVM's own dependencies come with the graphics drivers that setting Lull up installs.
  cat >"$folder/rustc.new" <<X
#!/bin/bash
export LD_LIBRARY_PATH=$unpacked/usr/lib/x86_64-linux-gnu\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
exec $unpacked/usr/bin/rustc --sysroot $unpacked/usr "\$@"
X
  chmod +x "$folder/rustc.new"
  "$folder/rustc.new" -V >/dev/null
  mv "$folder/rustc.new" "$folder/rustc"
fi

linker=$(cat "$here/sbpf-ld/Cargo.toml" "$here/sbpf-ld/Cargo.lock" "$here/sbpf-ld/src/main.rs" | sha256sum)
if [ "$(cat "$folder/linker" 2>/dev/null)" != "$linker" ]; then
  echo "building sbpf-ld (a few minutes, once)"
  "${CARGO:-cargo}" install --quiet --locked --force --path "$here/sbpf-ld" --root "$folder/linker-root" \
    --target-dir "$folder/linker-build"
  cp "$folder/linker-root/bin/sbpf-ld" "$folder/sbpf-ld"
  rm -rf "$folder/linker-build" "$folder/linker-root"
  echo "$linker" >"$folder/linker"
fi
