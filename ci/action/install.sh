#!/bin/sh
# Install kstrim from a path, or from a URL whose SHA-256 digest is known.
# Environment: INPUT_PATH, or INPUT_URL and INPUT_SHA256; KSTRIM_ACTION_DIR.
set -eu
. "$(dirname "$0")/lib.sh"

bin="${KSTRIM_ACTION_DIR:?}/bin"
mkdir -p "$bin"
if [ -n "${INPUT_PATH:-}" ]; then
    [ -f "$INPUT_PATH" ] || fail "the input path, $INPUT_PATH, is not a file" 2
    cp "$INPUT_PATH" "$bin/kstrim.new"
elif [ -n "${INPUT_URL:-}" ]; then
    [ -n "${INPUT_SHA256:-}" ] || fail 'the input url needs the input sha256: the digest of the program' 2
    # A release never moves to another protocol.
    curl --fail --silent --show-error --location --proto '=https,file' --retry 3 --output "$bin/kstrim.new" "$INPUT_URL" ||
        fail "kstrim could not be downloaded from $INPUT_URL" 3
    if command -v sha256sum >/dev/null; then
        found=$(sha256sum "$bin/kstrim.new")
    else
        found=$(shasum -a 256 "$bin/kstrim.new")
    fi
    if [ "${found%% *}" != "$INPUT_SHA256" ]; then
        rm -f "$bin/kstrim.new"
        fail "the digest of $INPUT_URL is ${found%% *}, but $INPUT_SHA256 was specified" 1
    fi
else
    fail 'one of the inputs path and url is required' 2
fi
chmod 755 "$bin/kstrim.new"
mv "$bin/kstrim.new" "$bin/kstrim"
version=$(kstrim --version)
output version "${version#kstrim }"
[ -z "${GITHUB_PATH:-}" ] || printf '%s\n' "$bin" >>"$GITHUB_PATH"
echo "installed $version"
