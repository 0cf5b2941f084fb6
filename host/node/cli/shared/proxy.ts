// The proxy that the environment names.

import * as http from "node:http";

/** Newer Nodes have it, 24.21 for one. */
const { setGlobalProxyFromEnv } = http as { setGlobalProxyFromEnv?: () => unknown };

/**
 * Lets fetch() ask the proxy that HTTPS_PROXY and its like name, as other commands do. Deno and Bun always do; older Nodes are started
 * with NODE_USE_ENV_PROXY=1, or proxyHint() says so. A proxy that is no URL is left alone.
 */
export function useProxy(): void {
  const { env } = process;
  if (!setGlobalProxyFromEnv || env.NODE_USE_ENV_PROXY) return;
  try {
    setGlobalProxyFromEnv();
    env.NODE_USE_ENV_PROXY = "1"; // proxyHint() and other threads go by it
  } catch {
    // whoever needs the network is told by proxyHint()
  }
}
