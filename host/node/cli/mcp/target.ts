// What --mcp names: a server's URL, or the command that starts one.

import { InvalidArgumentError } from "commander";
import type { Way } from "../../../mcp/connection.js";
import type { Sdk } from "./sdk.js";

export type Target = { label: string } & (
  | { url: URL; headers: Record<string, string> }
  | { command: string; args: string[]; env: Record<string, string> }
);

const KEPT_STDERR = 2000;

const MAX_LABEL = 60;

/** --mcp, given any number of times. @throws InvalidArgumentError */
export function mcpTargets(text: string, before: Target[] = []): Target[] {
  return [...before, parseTarget(text)];
}

/**
 * "Header=value … https://host/mcp", or "NAME=value … command arguments": words as a shell has them, but no shell runs.
 * @throws InvalidArgumentError
 */
export function parseTarget(text: string): Target {
  const all = words(text);
  const start = all.findIndex((word) => !/^[A-Za-z_][\w-]*=/.test(word));
  const [command, ...args] = start < 0 ? [] : all.slice(start);
  if (command === undefined || command === "") throw new InvalidArgumentError("It must be a URL or a command.");
  const named = all.slice(0, start).map((word) => /^([\w-]+)=(.*)$/s.exec(word)!.slice(1) as [string, string]);
  if (/^https?:\/\//i.test(command)) return httpTarget([command, ...args].join(" "), named);
  return { label: short([command, ...args].join(" ")), command, args, env: Object.fromEntries(named) };
}

function httpTarget(text: string, named: [string, string][]): Target {
  if (!URL.canParse(text)) throw new InvalidArgumentError(`${text} is no URL.`);
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") throw new InvalidArgumentError("A URL cannot have a password here.");
  for (const [name, value] of named) {
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw new InvalidArgumentError(`The header ${name} has no such value.`);
  }
  return { label: short(`${url.origin}${url.pathname}`), url, headers: Object.fromEntries(named) };
}

/** How the SDK gets there. */
export function wayTo(sdk: Sdk, target: Target): Way {
  const { label } = target;
  if ("url" in target) {
    const { url, headers } = target;
    return { label, transport: new sdk.StreamableHTTPClientTransport(url, { requestInit: { headers } }) };
  }
  const { command, args, env } = target;
  const transport = new sdk.StdioClientTransport({ command, args, env, stderr: "pipe" });
  let stderr = "";
  transport.stderr?.on("data", (chunk) => {
    stderr = `${stderr}${chunk}`.slice(-KEPT_STDERR);
  });
  return { label, transport, lastWords: () => stderr };
}

/** Words apart by spaces; quotes of both kinds hold them together, a backslash takes a quote, a space or itself as it is. */
export function words(text: string): string[] {
  const found: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === "\\" && quote !== "'" && /[\\"'\s]/.test(text[i + 1] ?? "")) word = `${word ?? ""}${text[++i]}`;
    else if (character === quote) quote = "";
    else if (quote === "" && /["']/.test(character)) {
      quote = character;
      word ??= "";
    } else if (quote !== "" || /\S/.test(character)) word = `${word ?? ""}${character}`;
    else {
      if (word !== undefined) found.push(word);
      word = undefined;
    }
  }
  if (quote !== "") throw new InvalidArgumentError(`A ${quote} is not closed.`);
  return word === undefined ? found : [...found, word];
}

const short = (text: string) => (text.length > MAX_LABEL ? `${text.slice(0, MAX_LABEL - 1)}…` : text);
