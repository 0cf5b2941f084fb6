// Where a model may lie: whatever fetch() takes, which differs between runtimes (chrome-extension:, app:, tauri: ...).

import { invalidOption } from "../api/errors.js";

/** Schemes that no fetch() reads. */
const NO_SOURCES = ["about:", "ftp:", "javascript:", "mailto:", "ws:", "wss:"];

/** A URL, relative to `base`. @throws ZagreusError INVALID_OPTION for option `field` */
export function fetchableUrl(url: string | URL, field: string, base?: string): URL {
  const parsed = parse(url, base);
  if (parsed && !NO_SOURCES.includes(parsed.protocol)) return parsed;
  throw invalidOption(field, String(url), parsed ? "a URL that fetch() takes" : "a URL");
}

function parse(url: string | URL, base: string | undefined): URL | undefined {
  try {
    return typeof url === "string" || url instanceof URL ? new URL(url, base) : undefined;
  } catch {
    return undefined;
  }
}
