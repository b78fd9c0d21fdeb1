#!/bin/bash
# Sets up a toolchain that type-checks Windows and macOS and runs Windows programs under Wine, on Debian 12 and newer,
# from Debian's packages alone: its rustc, and standard libraries built from Debian's source of them.
#
#   cross-toolchain.sh FOLDER     as root; a second run does nothing that is done
#
# Then, in a subshell (cargo becomes Debian's):
#   . FOLDER/env
#   cargo test  --target x86_64-pc-windows-gnu      runs under Wine
#   cargo check --target x86_64-pc-windows-msvc     C code is stubbed out
#   cargo check --target aarch64-apple-darwin       C code is stubbed out
set -euo pipefail
folder=$(realpath -m "${1:?usage: cross-toolchain.sh FOLDER}")
mkdir -p "$folder/bin"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# cargo-web and rustc-web are Debian's newest Rust of a stable release, kept new for browsers.
packages=(cargo-web rustc-web rust-web-src gcc libc6-dev gcc-mingw-w64-x86-64-win32 wine wine64 xvfb xauth
  libvulkan1 mesa-vulkan-drivers libgnutls30 llvm)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -Wf '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

version=$(/usr/bin/rustc -V)
targets=(x86_64-pc-windows-gnu x86_64-pc-windows-msvc aarch64-apple-darwin)
sysroot=$folder/sysroot
if [ "$(cat "$sysroot/version" 2>/dev/null)" != "$version" ]; then
  echo "building the standard libraries of ${targets[*]} (minutes, once)"
  std=$folder/std
  rm -rf "$sysroot" "$std"
  mkdir -p "$std/src"
  echo '#![no_std]' >"$std/src/lib.rs"
  printf '[package]\nname="std-of-targets"\nversion="0.0.0"\nedition="2024"\n[workspace]\n[profile.release]\ndebug=false\n' \
    >"$std/Cargo.toml"
  # As rustc's own bootstrap does: panic_abort with that strategy, and bitcode kept for link-time optimisation.
  cat >"$std/wrap" <<'X'
#!/bin/bash
rustc=$1
shift
more=()
case " $* " in *" --crate-name panic_abort "*) more+=(-Cpanic=abort) ;; esac
case " $* " in *" --crate-name "*) more+=(-Cembed-bitcode=yes) ;; esac
exec "$rustc" "$@" "${more[@]}"
X
  chmod +x "$std/wrap"
  (
    cd "$std"
    export PATH=/usr/bin:/bin RUSTC=/usr/bin/rustc RUSTC_WRAPPER=$std/wrap RUSTC_BOOTSTRAP=1
    export CARGO_TARGET_DIR=$std/target
    unset RUSTUP_TOOLCHAIN
    /usr/bin/cargo build -q --release -Zbuild-std=std,panic_abort,panic_unwind,test,proc_macro \
      $(printf -- '--target %s ' "${targets[@]}")
  )
  for target in "${targets[@]}"; do
    libraries=$sysroot/lib/rustlib/$target/lib
    mkdir -p "$libraries"
    cp "$std/target/$target/release/deps/"*.rlib "$libraries/"
    rm -f "$libraries"/libstd_of_targets-*.rlib
  done
  rm -rf "$std"
  echo "$version" >"$sysroot/version"
fi

# A C compiler's stand-in for `cargo check` where there is no SDK. Preprocessing is real, because build scripts ask
# the compiler what it is; anything else leaves an empty object, which nothing links.
cat >"$folder/bin/fakecc" <<'X'
#!/bin/bash
preprocess= out= source= kept=() i=1
while [ $i -le $# ]; do
  word=${!i}
  case $word in
  -E) preprocess=1 ;;
  -I | -D) i=$((i + 1)); kept+=("$word" "${!i}") ;;
  -I* | -D*) kept+=("$word") ;;
  -o) i=$((i + 1)); out=${!i} ;;
  -Fo* | /Fo*) out=${word#?Fo} ;;
  -*) ;;
  *) source=$word ;;
  esac
  i=$((i + 1))
done
[ -n "$preprocess" ] && exec gcc -E -P -xc "${kept[@]}" "$source"
[ -n "$out" ] && : >"$out"
exit 0
X
cat >"$folder/bin/fakear" <<'X'
#!/bin/bash
for word in "$@"; do
  case $word in *.a | *.lib)
    word=${word#[-/]out:}
    word=${word#[-/]OUT:}
    : >"$word"
    exit 0
    ;;
  esac
done
exit 0
X
cat >"$folder/bin/wine-run" <<X
#!/bin/bash
export WINEPREFIX=\${WINEPREFIX:-$folder/prefix} WINEARCH=win64 WINEDEBUG=\${WINEDEBUG--all}
export WINEDLLOVERRIDES="\${WINEDLLOVERRIDES-mscoree,mshtml=;winemenubuilder.exe=d}"
export XDG_RUNTIME_DIR=\${XDG_RUNTIME_DIR:-/tmp}
[ -n "\${DISPLAY:-}" ] && exec wine "\$@"
exec xvfb-run -a wine "\$@"
X
chmod +x "$folder/bin/"*

{
  echo 'export PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc'
  echo 'unset RUSTUP_TOOLCHAIN'
  for target in "${targets[@]}"; do
    name=$(tr 'a-z-' 'A-Z_' <<<"$target")
    echo "export CARGO_TARGET_${name}_RUSTFLAGS='--sysroot=$sysroot'"
  done
  echo "export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER='$folder/bin/wine-run'"
  for target in x86_64_pc_windows_msvc aarch64_apple_darwin; do
    echo "export CC_$target='$folder/bin/fakecc' CXX_$target='$folder/bin/fakecc' AR_$target='$folder/bin/fakear'"
  done
} >"$folder/env"

if [ ! -e "$folder/prefix/ready" ]; then
  echo "making a Windows for Wine"
  "$folder/bin/wine-run" wineboot -i >/dev/null 2>&1
  # Rust's standard library takes its random numbers from a function that Wine has only since version 10.
  cat >"$folder/prng.c" <<'X'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count) {
  while (count) {
    ULONG some = count > 0x1000000 ? 0x1000000 : (ULONG)count;
    SystemFunction036(bytes, some);
    bytes += some;
    count -= some;
  }
  return TRUE;
}
X
  x86_64-w64-mingw32-gcc -O1 -shared -o "$folder/prefix/drive_c/windows/system32/bcryptprimitives.dll" \
    "$folder/prng.c" -ladvapi32
  "$folder/bin/wine-run" reg add 'HKCU\Software\Wine' /v Version /d win10 /f >/dev/null 2>&1
  touch "$folder/prefix/ready"
fi
