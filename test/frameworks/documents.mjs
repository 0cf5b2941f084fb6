// What there is to know of the documents' fenced blocks: a row for each, by document and heading. A block without a row
// fails, and so does a row without a block.

const MODEL = 'import { load } from "zagreus-edge";\nconst model = await load("nesso-instruct");\n';

/**
 * Programs. `in`: whose types they are checked with, and where they run. `before`: what they leave out. `elsewhere`: why they do not
 * run here.
 */
export const PROGRAMS = {
  "README.md: zagreus-edge": { in: "Node" },
  "docs/library.md: The library": { in: "Node" },
  "docs/quantization.md: How to": {
    in: "Node",
    before: "const onProgress = () => {};\nconst { signal } = new AbortController();",
  },
  "docs/library.md: On Cloudflare Workers": {
    in: "Worker",
    before: `import type { Bucket, Fetcher } from "zagreus-edge/cloudflare-workers";
      declare const env: { MODELS: Bucket; ASSETS: Fetcher };`,
    elsewhere: "needs bindings: test/cloudflare/documents.test.mjs runs it in workerd",
  },
  "docs/library.md: In a browser": {
    in: "page",
    before: 'import { load } from "zagreus-edge";\nconst onProgress = () => {};',
    elsewhere: "needs a page: test/browser/documents.test.mjs runs it in Chromium",
  },
  "docs/assistant.md: Chat": { in: "Node" },
  "docs/assistant.md: Tools": { in: "Node", before: MODEL },
  "docs/assistant.md: Guaranteed structure": { in: "Node", before: MODEL },
  "docs/assistant.md: Sessions and memory": { in: "Node", before: 'import { load } from "zagreus-edge";' },
  "docs/assistant.md: Adapters": {
    in: "Node",
    before: 'import { load } from "zagreus-edge";',
    elsewhere: "needs an adapter of the model: test/host/model/adapters.test.ts",
  },
  "docs/hosts.md: Bundlers, CDNs, single files": {
    in: "page",
    before: `import { load } from "zagreus-edge";
      declare const source: Blob, core: URL, worker: URL;`,
    elsewhere: "only shows the option: test/browser/cdn.test.mjs, test/recipes",
  },
  "docs/prompt-api.md: The Prompt API": {
    in: "page",
    elsewhere: "needs a model: test/host/prompt_api and test/browser/prompt_api.test.mjs use every member",
  },
  "docs/raspberry-pi.md: Raspberry Pi": { in: "Node" },
  "docs/shards.md: Two processes": { in: "Node", elsewhere: "needs two machines: test/host/shard/transports.test.ts" },
  "docs/shards.md: Parts that fit": { in: "Node", elsewhere: "needs parts: test/host/shard/cut.test.ts" },
  "docs/shards.md: Tabs and workers": {
    in: "page",
    before: "declare const worker: Worker, url: string;",
    elsewhere: "needs a worker: test/browser/shards/tabs.test.mjs",
  },
  "docs/server.md: The server": { in: "Node" },
  "docs/server.md: As a handler": { in: "Deno", serves: true },
  "docs/server.md: Clients in the same process": { in: "Node" },
  ...Object.fromEntries(
    ["Node", "Express", "Fastify", "Hono", "Next.js", "Deno", "Bun"].map((name) => [
      `docs/frameworks.md: ${name}`,
      {
        in: ["Deno", "Bun"].includes(name) ? name : "Node",
        elsewhere: `test/frameworks/${name === "Next.js" ? "next.sh" : "recipes.test.mjs"} runs it, and leaves it`,
      },
    ]),
  ),
  "test/runtimes/README.md: The same suite in every runtime": {
    in: "Node",
    before: `import { readFileSync } from "node:fs";
      import { bundledModel, load, ZagreusError } from "zagreus-edge";
      const bytes = new Uint8Array(readFileSync(bundledModel));
      const url = bundledModel;`,
  },
};

const BUILT = "the build has been made, and packages are installed";

/** Documents whose sections are followed by tests of a folder, which name them: of their blocks only data is read here, and syntax. */
export const FOLLOWED = { "docs/hosts.md": "test/recipes" };

/** Pages, and why they are not opened here. */
export const PAGES = {
  "docs/hosts.md: From a CDN": { elsewhere: "needs a CDN: test/browser/cdn.test.mjs has another origin" },
};

/** What is printed, and who compares it. */
export const PRINTED = {
  "docs/server.md: Log and metrics": { elsewhere: "a line of a log: test/host/cli/serve.test.ts reads such lines" },
};

/** Commands. `elsewhere`: why a block does not run here; `lines`: why lines of it, by how they begin, do not. */
export const COMMANDS = {
  "README.md: zagreus-edge": {
    lines: { "npm install ": "installs the published package: .ci/run installs the packed one" },
  },
  "README.md: In a checkout": { elsewhere: "these are CI's own steps: .ci/run" },
  "docs/command.md: The `zagreus` command": {},
  "docs/models.md: Models": {},
  "docs/quantization.md: How to": {},
  "docs/assistant.md: In the terminal": {
    lines: { "zagreus chat -m nesso2-agentic --mcp ": "needs servers of others: test/clients/mcp runs one" },
  },
  "docs/cloudflare.md: 0.4 billion parameters on Cloudflare": { elsewhere: "test/cloudflare/example.test.mjs runs it" },
  "docs/evaluation.md: Multiple choice": {
    lines: { python3: "downloads a data set", "pip install datasets": "for the line below" },
  },
  "docs/evaluation.md: The makers' tool cases": {},
  "docs/evaluation.md: lm-evaluation-harness": { elsewhere: "test/lm_eval/run.mjs runs the harness from PyPI" },
  "docs/evaluation.md: Conversations": {},
  "docs/server.md: The server": {},
  "examples/assistant/README.md: An offline assistant": { lines: { "npm ci": BUILT } },
  "examples/deno/README.md: In Deno": { elsewhere: "test/runtimes/runtimes.test.mjs runs it" },
  "examples/edge-function/README.md: A language model in a Cloudflare Worker": {
    elsewhere: "test/cloudflare/example.test.mjs runs it",
  },
  "examples/edge-function/README.md: Weights from R2": { elsewhere: "test/cloudflare/example.test.mjs runs it" },
  "examples/prompt-api/README.md: The Prompt API": { lines: { "npm ci": BUILT } },
  "examples/iot/README.md: A language model on an MQTT broker": {
    elsewhere: "needs a broker: test/raspberry-pi/iot.test.ts runs it",
  },
  "examples/iot/README.md: As a service": { elsewhere: "installs a systemd service" },
  ...Object.fromEntries(
    ["In a container, on a machine of yours, in a cluster", "Containers", "systemd", "Kubernetes"].map((name) => [
      `examples/deploy/README.md: ${name}`,
      { elsewhere: "needs Docker, systemd or a cluster: test/deploy does what can be done without" },
    ]),
  ),
  "docs/site/README.md: The site": { elsewhere: "test/site looks at what it makes" },
  "docs/site/content/index.md: undefined": { elsewhere: "the README's" },
  "docs/site/content/it/index.md: undefined": { elsewhere: "the README's" },
  "docs/site/content/it/guida.md: Primi passi": { lines: { "npm install ": "as in the README" } },
  "docs/site/content/it/guida.md: La pagina di chat": {},
  "docs/site/content/it/guida.md: Il server": { lines: { "curl ": "asks the server of the section before" } },
  "examples/c/README.md: In C": { elsewhere: "needs WAMR: test/embedding/hosts.test.mjs runs it where that is" },
  "examples/go/README.md: In Go": { elsewhere: "test/embedding/hosts.test.mjs runs it" },
  "examples/python/README.md: In Python": { elsewhere: "test/embedding/hosts.test.mjs installs and runs it" },
  "examples/rust/README.md: In Rust": { elsewhere: "test/embedding/hosts.test.mjs runs it" },
  "examples/wasi/README.md: Without a JavaScript engine": { elsewhere: "test/wasi/example.test.ts runs it" },
  "examples/wasi/README.md: A conversation": { elsewhere: "test/wasi/chat.test.ts has such conversations" },
  "examples/web/README.md: The chat page on a web server of yours": { elsewhere: "test/chat/page.test.mjs runs it" },
};
