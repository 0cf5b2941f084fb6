// --log: a line on standard error for every request.

import { printable, printableJson } from "../../../core/api/printable.js";
import type { RequestReport } from "../../../core/server/index.js";

export const LOG_FORMATS = ["text", "json", "off"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Asked all the time, and of no interest while all is well. */
const PROBES = ["/health", "/metrics"];

/** What createServer() tells of requests, as lines. */
export function requestLog(format: LogFormat, write = (line: string) => void process.stderr.write(`${line}\n`)) {
  if (format === "off") return undefined;
  return (report: RequestReport): void => {
    if (report.status === 200 && PROBES.includes(report.path)) return;
    write(format === "json" ? printableJson(report) : printable(asText(report)));
  };
}

function asText(report: RequestReport): string {
  const { time, id, client, method, path, status, error, model, ms } = report;
  const { promptTokens, reusedTokens, completionTokens, queueMs, firstTokenMs, tokensPerSecond } = report;
  const facts = [
    promptTokens > 0 && `prompt ${promptTokens}${reusedTokens > 0 ? ` (${reusedTokens} reused)` : ""}`,
    firstTokenMs !== undefined && `wrote ${completionTokens}`,
    queueMs !== undefined && `queue ${queueMs.toFixed(0)} ms`,
    firstTokenMs !== undefined && `first token ${firstTokenMs.toFixed(0)} ms`,
    tokensPerSecond !== undefined && `${tokensPerSecond.toFixed(1)} tok/s`,
  ].filter((fact) => fact !== false);
  const outcome = error === undefined ? status : `${status} ${error}`;
  const line = [time.toISOString(), id, client || "-", method, path, outcome, model && JSON.stringify(model)];
  return `${line.filter(Boolean).join(" ")} ${ms.toFixed(0)} ms${facts.length > 0 ? `: ${facts.join(", ")}` : ""}`;
}
