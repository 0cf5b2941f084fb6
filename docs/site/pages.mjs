// Which document is which page, by what a reader wants to do.

const example = (name) => `examples/${name}/README.md`;

/** [title, [[page, document, title in the list, [[title, anchor]] of what people look for in it]]] */
export const SECTIONS = [
  [
    "Start",
    [
      [
        "library",
        "docs/library.md",
        "The library",
        [
          ["Builds and threads", "builds-and-threads"],
          ["In a browser", "in-a-browser"],
          ["In a server", "in-a-server"],
          ["On Cloudflare Workers", "on-cloudflare-workers"],
        ],
      ],
      [
        "models",
        "docs/models.md",
        "Models",
        [
          ["What runs", "what-runs"],
          ["The Hugging Face hub", "the-hugging-face-hub"],
        ],
      ],
      ["command", "docs/command.md", "The command"],
      ["troubleshooting", "docs/troubleshooting.md", "Troubleshooting"],
    ],
  ],
  [
    "In a page",
    [
      ["chat-page", example("web"), "A chat page"],
      [
        "hosts",
        "docs/hosts.md",
        "Bundlers, CDNs, single files",
        [
          ["From a CDN", "from-a-cdn"],
          ["A browser extension", "a-manifest-v3-extension"],
        ],
      ],
      ["prompt-api", "docs/prompt-api.md", "The Prompt API"],
      ["prompt-api-example", example("prompt-api"), "Its example"],
    ],
  ],
  [
    "In a server",
    [
      [
        "server",
        "docs/server.md",
        "The server",
        [
          ["Routes", "routes"],
          ["Many at once", "many-at-once"],
          ["Log and metrics", "log-and-metrics"],
        ],
      ],
      ["frameworks", "docs/frameworks.md", "In your own server"],
      ["deploy", example("deploy"), "Containers, systemd, Kubernetes"],
      ["edge-function", example("edge-function"), "Cloudflare Workers"],
      ["cloudflare", "docs/cloudflare.md", "0.4B on Cloudflare"],
      ["deno", example("deno"), "Deno"],
    ],
  ],
  [
    "On a device",
    [
      ["raspberry-pi", "docs/raspberry-pi.md", "Raspberry Pi"],
      ["shards", "docs/shards.md", "A model in parts"],
      ["iot", example("iot"), "MQTT"],
      ["wasi", example("wasi"), "Without JavaScript"],
    ],
  ],
  [
    "In another language",
    [
      ["embedding", "docs/embedding.md", "The contract"],
      ["python", example("python"), "Python"],
      ["go", example("go"), "Go"],
      ["rust", example("rust"), "Rust"],
      ["c", example("c"), "C"],
    ],
  ],
  [
    "Chats and models",
    [
      [
        "assistant",
        "docs/assistant.md",
        "Chats",
        [
          ["Tools", "tools"],
          ["JSON that always parses", "guaranteed-structure"],
          ["Sessions and memory", "sessions-and-memory"],
          ["Adapters (LoRA)", "adapters"],
          ["In the terminal", "in-the-terminal"],
        ],
      ],
      ["offline-assistant", example("assistant"), "An offline assistant"],
      [
        "quantization",
        "docs/quantization.md",
        "Quantizing",
        [
          ["How to", "how-to"],
          ["A smaller vocabulary", "a-smaller-vocabulary"],
        ],
      ],
      ["evaluation", "docs/evaluation.md", "Evaluating"],
    ],
  ],
  [
    "How it works",
    [
      ["design", "docs/design.md", "Design"],
      ["performance", "docs/performance.md", "Performance"],
      ["measured", "docs/measured.md", "What was measured where"],
      ["runtimes", "test/runtimes/README.md", "All runtimes, one hash"],
    ],
  ],
  [
    "The project",
    [
      ["development", "docs/development.md", "Development"],
      ["contributing", "CONTRIBUTING.md", "Contributing"],
      ["conduct", "CODE_OF_CONDUCT.md", "Code of conduct"],
      ["security", "SECURITY.md", "Security"],
      ["changelog", "CHANGELOG.md", "Changelog"],
      ["releasing", "docs/releasing.md", "Releases"],
      ["site", "docs/site/README.md", "This site"],
    ],
  ],
];

/** Documents by the page that they are. */
export const PAGES = new Map(SECTIONS.flatMap(([, pages]) => pages.map(([page, document]) => [document, page])));

/** Entry points of the package: [name, declarations]. The first is the one that others repeat. */
export const ENTRIES = [
  ["zagreus-edge", "host/node/index.d.ts"],
  ["zagreus-edge in browsers", "host/browser/index.d.ts"],
  ["zagreus-edge/cloudflare-workers", "host/cloudflare-workers/index.d.ts"],
  ["zagreus-edge/cloudflare-workers/edge", "host/cloudflare-workers/shards/edge.d.ts"],
  ["zagreus-edge/cloudflare-workers/shard", "host/cloudflare-workers/shards/shard.d.ts"],
  ["zagreus-edge/raspberry-pi", "host/raspberry-pi/index.d.ts"],
  ["zagreus-edge/server", "host/core/server/index.d.ts"],
  ["zagreus-edge/prompt-api", "host/node/prompt_api.d.ts"],
  ["zagreus-edge/receipts", "host/core/receipt/index.d.ts"],
  ["zagreus-edge/quantize", "host/node/quantize.d.ts"],
  ["zagreus-edge/shards", "host/node/shards/index.d.ts"],
];
