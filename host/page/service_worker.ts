// The page without a network, and with threads where the web server sends no headers for them. A model is no file of the page: the
// library keeps it.

/** The files of the page, and a name for this version of them: examples/web/build.mjs puts them before this script. */
declare const FILES: readonly string[];
declare const VERSION: string;

interface WorkerEvent extends Event {
  waitUntil(until: Promise<unknown>): void;
}
interface FetchEvent extends WorkerEvent {
  request: Request;
  respondWith(response: Promise<Response>): void;
}

const worker = self as unknown as {
  addEventListener(name: "install" | "activate", listener: (event: WorkerEvent) => void): void;
  addEventListener(name: "fetch", listener: (event: FetchEvent) => void): void;
  addEventListener(name: "message", listener: (event: MessageEvent) => void): void;
  clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
};

const PREFIX = "zagreus-edge page ";
const NAME = PREFIX + VERSION;
const HERE = new URL("./", location.href).href;
const KNOWN = new Set(FILES.map((file) => HERE + file));
/** What lets a page share memory between threads. */
const ISOLATION = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

worker.addEventListener("install", (event) => event.waitUntil(fetchAll()));
worker.addEventListener("activate", (event) => event.waitUntil(takeOver()));
worker.addEventListener("message", ({ data }) => {
  if (data === "take over") void worker.skipWaiting();
});
worker.addEventListener("fetch", (event) => {
  const url = event.request.url.replace(/[?#].*$/, "");
  const file = url === HERE ? `${HERE}index.html` : url;
  if (event.request.method === "GET" && KNOWN.has(file)) event.respondWith(answer(file));
});

/** All files or none: a version is whole. */
async function fetchAll(): Promise<void> {
  const cache = await caches.open(NAME);
  await cache.addAll([...KNOWN].map((url) => new Request(url, { cache: "reload" })));
}

async function takeOver(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

async function answer(url: string): Promise<Response> {
  const response = (await (await caches.open(NAME)).match(url)) ?? (await fetch(url));
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
