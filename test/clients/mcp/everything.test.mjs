// `zagreus chat --mcp` with the SDK's own example server, as people start it.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const CLI = fileURLToPath(new URL("../../../dist/cli.js", import.meta.url));
const EVERYTHING = fileURLToPath(
  new URL("../node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url),
);
const STDIO = `"${process.execPath}" "${EVERYTHING}" stdio`;
const FLAGS = "chat -m zagreus-nano --template chatml --temp 0 -n 60 --max-steps 2 --json --yes".split(" ");

/** One message, to which the model calls `tool`. */
async function call(server, tool, offered = tool) {
  const args = [CLI, ...FLAGS, "--mcp", server, "--tool-choice", tool, "--mcp-tools", offered];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdin.end("Ciao\n");
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(code, stderr).toBe(0);
  const [, reply, result] = JSON.parse(stdout).messages;
  const { arguments: json } = reply.tool_calls[0].function;
  return { stderr, args: JSON.parse(json), result: result.content };
}

test("over stdio", async () => {
  const { args, result } = await call(STDIO, "echo");
  expect(result).toBe(`Echo: ${args.message}`);
});

test("a tool that runs as a task only is left out, and said", async () => {
  const { stderr, result } = await call(STDIO, "get-tiny-image", "get-tiny-image,simulate-research-query");
  expect(stderr).toContain("the tool simulate-research-query is left out: it runs as a task only");
  expect(result).toMatch(/\[image image\/png \d+ bytes\]/);
});

test("over HTTP", async () => {
  const port = 20_000 + (process.pid % 10_000);
  const server = spawn(process.execPath, [EVERYTHING, "streamableHttp"], {
    env: { ...process.env, PORT: `${port}` },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  try {
    await new Promise((resolve, reject) => {
      server.stderr.on("data", (chunk) => {
        said += chunk;
        if (said.includes("listening")) resolve();
      });
      server.on("close", () => reject(new Error(said)));
    });
    const { args, result } = await call(`http://localhost:${port}/mcp`, "echo");
    expect(result).toBe(`Echo: ${args.message}`);
  } finally {
    server.kill();
  }
});
