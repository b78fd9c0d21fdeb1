#!/bin/bash
# Builds Solana's own test validator (Agave) from crates.io, on Debian 12 and newer: 22 minutes of one core, 110 MB.
#
#   validator.sh FOLDER     a second run does nothing that is done
#
# Then FOLDER/solana-test-validator is the validator. It listens on all addresses whatever it is told, so it belongs into
# a network namespace of its own.
set -euo pipefail
folder=$(realpath -m "${1:?usage: validator.sh FOLDER}")
# The newest that builds with Rust 1.95, and the storage engine that its lock file names.
version=4.2.2
rocksdb=0.17.3+10.4.2
lz4=1.11.1+lz4-1.10.0
export LC_ALL=C.UTF-8
if [ "$(cat "$folder/version" 2>/dev/null)" = "$version" ]; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "the validator is set up on Debian 12 and newer" >&2
  exit 1
fi
packages=(clang libclang-dev protobuf-compiler libudev-dev libssl-dev pkg-config cmake make liblz4-dev)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  root=(); [ "$(id -u)" -eq 0 ] || root=(sudo)
  "${root[@]}" apt-get update -qq
  "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
build=$folder/build
mkdir -p "$build/lib" "$build/objects"

# RocksDB in ten translation units instead of 329: a fifth of the time.
if [ ! -f "$build/lib/librocksdb.so" ]; then
  echo "building the validator's storage engine (5 minutes of one core, once)"
  fetch=$build/fetch
  mkdir -p "$fetch/src"
  : >"$fetch/src/lib.rs"
  cat >"$fetch/Cargo.toml" <<X
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"
[dependencies]
librocksdb-sys = { version = "=${rocksdb%%+*}", default-features = false }
lz4-sys = "=${lz4%%+*}"
[workspace]
X
  (cd "$fetch" && cargo fetch -q)
  sources=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/librocksdb-sys-"$rocksdb" | head -1)
  lz4_sources=$(dirname "$sources")/lz4-sys-$lz4
  cd "$build/objects"
  grep -v build_version.cc "$sources/rocksdb_lib_sources.txt" >list
  split -n l/10 -d list part_
  for part in part_0?; do
    sed 's|.*|#include "rocksdb/&"|' "$part" >"$part.cc"
  done
  cp "$sources/build_version.cc" part_version.cc
  flags="-std=c++17 -O1 -g0 -w -fPIC -DNDEBUG=1 -DLZ4=1 -DOS_LINUX -DROCKSDB_PLATFORM_POSIX -DROCKSDB_LIB_IO_POSIX
    -DROCKSDB_SCHED_GETCPU_PRESENT -DROCKSDB_SUPPORT_THREAD_LOCAL
    -I $sources/rocksdb/include -I $sources/rocksdb -I $sources -I $lz4_sources/liblz4/lib"
  export flags
  ls part_*.cc | xargs -P "$(nproc)" -I{} sh -c 'clang++ $flags -c {} -o {}.o'
  clang++ -shared -o "$build/lib/librocksdb.so.new" part_*.o -llz4 -lpthread -ldl
  mv "$build/lib/librocksdb.so.new" "$build/lib/librocksdb.so"
fi

echo "building the validator $version (17 minutes of one core, once)"
export ROCKSDB_LIB_DIR=$build/lib LD_LIBRARY_PATH=$build/lib CXXFLAGS="-O0 -g0 -w" CARGO_INCREMENTAL=0
# Unoptimised but for what a ledger does all the time.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_LTO=off
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=true CARGO_PROFILE_RELEASE_PANIC=unwind
optimised=()
for package in sha2 sha3 curve25519-dalek ed25519-dalek solana-sbpf blake3 lz4-sys zstd-sys solana-lattice-hash; do
  optimised+=(--config "profile.release.package.\"$package\".opt-level=2")
done
cd "$folder"
cargo "${optimised[@]}" install "agave-validator@$version" --quiet --locked --bin solana-test-validator \
  --root "$build/root" --target-dir "$build/target"
cp "$build/root/bin/solana-test-validator" "$folder/solana-test-validator.bin"
cp "$build/lib/librocksdb.so" "$folder/"
cat >"$folder/solana-test-validator" <<X
#!/bin/sh
export LD_LIBRARY_PATH=$folder\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
exec $folder/solana-test-validator.bin "\$@"
X
chmod +x "$folder/solana-test-validator"
"$folder/solana-test-validator" --version
rm -rf "$build"
echo "$version" >"$folder/version"
