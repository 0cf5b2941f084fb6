// Headers for MCP servers, such as their keys: kept until the tab is closed.

import { keep, kept, ofTab } from "./kept.js";

type Headers = Record<string, string>;

const all = () => (kept("headers", ofTab) ?? {}) as Record<string, Headers>;

export const headersOf = (url: string): Headers => all()[url] ?? {};

export function keepHeaders(url: string, headers: Headers): void {
  const { [url]: _, ...others } = all();
  keep("headers", Object.keys(headers).length > 0 ? { ...others, [url]: headers } : others, ofTab);
}

/** Lines as "Name: value". @throws Error with the line that is none */
export function parseHeaders(text: string): Headers {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*:\s*([\t\x20-\x7e\x80-\xff]*?)\s*$/.exec(line) ?? [];
      if (name === undefined) throw new Error(line.trim());
      return [name, value!];
    }),
  );
}
