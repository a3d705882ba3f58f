#!/usr/bin/env bash
# Installs the tools that the benchmark compares with, as far as this machine can, into the benchmark's cache folder, and
# says what is missing. Needs go for crane, regctl and regsync; git, cargo and cmake for ocync. skopeo is a package of
# Debian.
set -uo pipefail
prefix="${TMPDIR:-/tmp}/harbor-release-mirror-bench/peers"
mkdir -p "$prefix/bin"
missing=()

have() { [ -x "$prefix/bin/$1" ] || command -v "$1" >/dev/null; }

go_install() {
  local program=$1 package=$2
  have "$program" && return
  GOBIN="$prefix/bin" go install "$package@latest" || missing+=("$program")
}

# Not on crates.io. Its `sync` drops the scheme of a registry's URL and speaks HTTPS always; the copy that is built keeps
# the scheme, nothing else is changed.
ocync_install() {
  local source="$prefix/ocync-source"
  rm -rf "$source"
  git clone --depth 1 https://github.com/clowdhaus/ocync "$source" || return 1
  sed -i 's/build_registry_client(hostname, Some(reg))/build_registry_client(\&reg.url, Some(reg))/' \
    "$source/src/cli/commands/synchronize.rs"
  # The other feature, the default, needs a validated build of the cryptography, and with it Go and a long time.
  cargo install --locked --path "$source" --no-default-features --features non-fips --root "$prefix"
}

have docker-registry || missing+=("docker-registry (apt-get install docker-registry)")
have skopeo || missing+=("skopeo (apt-get install skopeo)")
have curl || missing+=("curl (apt-get install curl)")
go_install crane github.com/google/go-containerregistry/cmd/crane
go_install regctl github.com/regclient/regclient/cmd/regctl
go_install regsync github.com/regclient/regclient/cmd/regsync
have ocync || ocync_install || missing+=(ocync)

echo "Programs are in $prefix/bin."
if [ ${#missing[@]} -gt 0 ]; then
  printf 'Missing: %s\n' "${missing[@]}"
fi
