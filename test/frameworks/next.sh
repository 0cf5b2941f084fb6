#!/usr/bin/env bash
# The packed package in a Next.js app route, built by Turbopack and by webpack: on threads, offloaded, and in the edge runtime.
# And the program of docs/frameworks.md, which a client leaves. next.sh TARBALL; needs npm ci.
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
mkdir -p app/api/{threads,offload,edge,recipe}
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
# The document's program, but that "endless" has no end.
endless='...(prompt === "endless" \&\& { maxTokens: 2 ** 20, overflow: { keep: 4 }, logitBias: Object.fromEntries((await model).info.tokenizer.end.map((token) => [token, -100])) }),'
node "$here/blocks.mjs" docs/frameworks.md Next.js | sed "s/complete(prompt, {/& $endless/" >app/api/recipe/route.js
grep -q endless app/api/recipe/route.js

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
  [[ $(ask "recipe?prompt=Ciao") == ?????* ]]
  # Streams though it has no end, and when the client has left the model is free for the next.
  endless=$(curl -sN --max-time 2 "http://127.0.0.1:$port/api/recipe?prompt=endless" | head -c 4000)
  echo "$bundler, recipe: ${#endless} characters until the client left"
  [[ ${#endless} -gt 100 ]]
  [[ $(ask "recipe?prompt=Ciao") == ?????* ]]
  kill $server
  wait $server || true
  server=
  port=$((port + 1))
done
