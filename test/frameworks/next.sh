#!/usr/bin/env bash
# The packed package in a Next.js app route, built by Turbopack and by webpack: on threads, offloaded, and in the edge runtime.
# next.sh TARBALL; needs the packages of this folder (npm ci --prefix test/frameworks).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tarball=$(realpath "$1")
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"
cp "$here"/package.json "$here"/package-lock.json .
npm ci --silent --no-audit --no-fund
npm install --silent --no-audit --no-fund --no-save "$tarball"
mkdir -p app/api/{threads,offload,edge}
echo 'export default ({ children }) => <html><body>{children}</body></html>;' >app/layout.js
echo 'export default () => <p>hi</p>;' >app/page.js
route() { # OPTIONS
  cat <<JS
import { bundledModel, load } from "zagreus-edge";
export async function GET() {
  try {
    const model = await load(bundledModel, $1);
    const text = await model.complete("C'era una volta", { maxTokens: 8, temperature: 0 }).text();
    model.close();
    return new Response("text:" + text);
  } catch (error) {
    return new Response(error.name + " " + error.code);
  }
}
JS
}
route '{ threads: 2 }' >app/api/threads/route.js
route '{ threads: 2, offload: true }' >app/api/offload/route.js
{ echo 'export const runtime = "edge";'; route '{}'; } >app/api/edge/route.js

port=18890
for bundler in --turbopack --webpack; do
  npx --no-install next build "$bundler" >build.log 2>&1 || { cat build.log; exit 1; }
  node node_modules/next/dist/bin/next start -p $port -H 127.0.0.1 >start.log 2>&1 &
  server=$!
  ask() { curl -s --retry 20 --retry-connrefused --retry-delay 1 --max-time 60 "http://127.0.0.1:$port/api/$1"; }
  for name in threads offload; do
    answer=$(ask $name)
    echo "$bundler, $name: $answer"
    [[ $answer == text:?* ]]
  done
  answer=$(ask edge)
  echo "$bundler, edge: $answer"
  [[ $answer == "ZagreusError UNSUPPORTED_RUNTIME" ]]
  kill $server
  wait $server || true
  server=
  port=$((port + 1))
done
