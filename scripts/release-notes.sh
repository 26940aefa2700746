#!/usr/bin/env bash
# Prints a version's part of CHANGELOG.md, or "Unreleased" where the version has none yet.
#
#   scripts/release-notes.sh VERSION
set -euo pipefail
changelog=$(dirname "$0")/../CHANGELOG.md
part() { awk -v want="$1" '/^## / { inside = ($2 == want || $2 == "[" want "]"); next } inside' "$changelog"; }
notes=$(part "${1:?a version}")
[ -n "$notes" ] || notes=$(part Unreleased)
[ -n "$notes" ] || { echo "release-notes: CHANGELOG.md has no part for $1" >&2; exit 1; }
printf '# Slipway %s\n%s\n' "$1" "$notes"
