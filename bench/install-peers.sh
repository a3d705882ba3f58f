#!/usr/bin/env bash
# Installs the tools that the benchmark compares with, as far as this machine can, into the benchmark's cache folder, and
# says what is missing. Needs go for crane, regctl and regsync. skopeo is a package of Debian.
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

have docker-registry || missing+=("docker-registry (apt-get install docker-registry)")
have skopeo || missing+=("skopeo (apt-get install skopeo)")
have curl || missing+=("curl (apt-get install curl)")
go_install crane github.com/google/go-containerregistry/cmd/crane
go_install regctl github.com/regclient/regclient/cmd/regctl
go_install regsync github.com/regclient/regclient/cmd/regsync
have ocync || missing+=("ocync (not published as a package: build it yourself, and put it on the PATH)")

echo "Programs are in $prefix/bin."
if [ ${#missing[@]} -gt 0 ]; then
  printf 'Missing: %s\n' "${missing[@]}"
fi
