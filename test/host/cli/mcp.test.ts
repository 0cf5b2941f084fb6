// `zagreus chat --mcp` with a server of the official SDK. At a terminal: test/terminal; the SDK's own server: test/clients.

import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { safeName } from "../../../host/mcp/names";
import { resultText } from "../../../host/mcp/result";
import { relaxed } from "../../../host/mcp/schema";
import { parseTarget, words } from "../../../host/node/cli/mcp/target";
import { CLI, finish, zagreus } from "../../support/command";

const SERVER = fileURLToPath(new URL("../../support/mcp/server.mjs", import.meta.url));
const STDIO = `"${process.execPath}" "${SERVER}"`;
const FLAGS = "chat -m zagreus-nano --template chatml --temp 0 -n 60 --max-steps 2 --json".split(" ");

/** One message, to which the model calls `tool`; of the servers' tools those in `offered` are there. */
async function call(tool: string, offered: string, ...flags: string[]) {
  const args = [...FLAGS, "--mcp-tools", offered, "--tool-choice", tool, ...flags];
  const { code, stdout, stderr } = await zagreus(args, "Ciao\n");
  const result = stdout === "" ? undefined : JSON.parse(stdout).messages[2].content;
  return { code, stderr, result };
}

describe("a server", () => {
  test("over stdio: pages, names that are no names here, and which are taken", async () => {
    // What is shown counts: two tools and their results do not always fit into this model's context.
    expect((await call("a_b", "a/b,a b", "--yes", "--mcp", STDIO)).stderr).toContain("[a_b({}) = one]");
    expect((await call("a_b_2", "a/b,a b", "--yes", "--mcp", STDIO)).stderr).toContain("[a_b_2({}) = another]");
  });

  test("over HTTP: the session is ended", async () => {
    const server = spawn(process.execPath, [SERVER, "http"], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = finish(server);
    const url = await new Promise<string>((resolve) => server.stdout.once("data", (line) => resolve(`${line}`.trim())));
    expect(await call("a_b", "a/b", "--yes", "--mcp", url)).toMatchObject({ code: 0, result: "one" });
    server.kill();
    expect((await ended).stdout).toContain("session closed");
  });

  test("over HTTP with a header, and without it", async () => {
    const env = { ...process.env, TOKEN: "se cret" };
    const server = spawn(process.execPath, [SERVER, "http"], { env, stdio: ["ignore", "pipe", "inherit"] });
    const ended = finish(server);
    const url = await new Promise<string>((resolve) => server.stdout.once("data", (line) => resolve(`${line}`.trim())));
    const allowed = await call("a_b", "a/b", "--yes", "--mcp", `Authorization='Bearer se cret' ${url}`);
    expect(allowed).toMatchObject({ code: 0, result: "one" });
    const refused = await call("a_b", "a/b", "--yes", "--mcp", url);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/cannot be used: .*who are you\?/s) });
    server.kill();
    await ended;
  });

  test("tools that change are listed again before the next message", async () => {
    const args = [...FLAGS, "--yes", "--mcp", STDIO, "--mcp-tools", "a b,grows", "--tool-choice", "grows"];
    const { code, stderr } = await zagreus([...args, "--keep", "8"], "Ciao\n/reset\n");
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("[grows({}) = grown]") });
    expect(stderr).toContain("the tools have changed: 2");
  });

  test("a schema that cannot be kept is relaxed, or its tool is left out alone, which is said", async () => {
    const { code, stderr, result } = await call("bounded", "bounded,elsewhere", "--yes", "--mcp", STDIO);
    expect({ code, result }, stderr).toEqual({ code: 0, result: "b" });
    expect(stderr).toMatch(/^.*: the tool elsewhere is left out: .*https:\/\/example.com\/schema.json.*$/m);
    expect(stderr).not.toContain("bounded is left out");
    expect(stderr).toContain("tools: 1;");
    expect(stderr).not.toContain("Warning");
  });

  test("what it returns: an error, too much, what a terminal would obey", async () => {
    expect((await call("fails", "fails", "--yes", "--mcp", STDIO)).result).toBe('{"error":"it is broken"}');
    const long = await call("long", "long", "--yes", "--mcp", STDIO); // then the context is full
    expect(long.stderr).toContain("x… [cut: 99000 more characters]");
    const escapes = await call("escapes", "escapes", "--yes", "--mcp", STDIO);
    expect(escapes.result).toBe("\u001b[2Jgone");
    expect(escapes.stderr).toContain("\ufffd[2Jgone");
  });

  test("one that ends is noticed, and the model told", async () => {
    const { code, stderr, result } = await call("exits", "exits", "--yes", "--mcp", STDIO);
    expect({ code, result: JSON.parse(result).error }, stderr).toEqual({
      code: 0,
      result: expect.stringMatching(/Connection closed/),
    });
    expect(stderr).toMatch(/server.mjs.* has ended|… has ended/);
  });

  test.each([
    ["without --yes nobody can be asked", "echo", [], /--yes allows all of them/],
    [
      "a program that there is not",
      "no-such-program x",
      ["--yes"],
      /server no-such-program x cannot be used: .*ENOENT/,
    ],
    [
      "one that ends",
      `"${process.execPath}" -e "console.error('oh');process.exit(1)"`,
      ["--yes"],
      /cannot be used: .*\(it said: oh\)/,
    ],
    ["nobody at the URL", "http://127.0.0.1:1/mcp", ["--yes"], /server http:\/\/127.0.0.1:1\/mcp cannot be used: /],
  ])("%s", async (_, target, flags, message) => {
    const { code, stderr } = await zagreus([...FLAGS, "--mcp", target, ...flags], "Ciao\n");
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });

  test("tools that no server has are an error that names those it has; a quote that is not closed is wrong usage", async () => {
    const { code, stderr } = await call("nothing", "nothing", "--yes", "--mcp", STDIO);
    expect(code).toBe(1);
    expect(stderr).toMatch(/no MCP server has a tool "nothing"; there are a\/b, a b, bounded,/);
    const quote = await zagreus([...FLAGS, "--mcp", "node 'x"]);
    expect(quote).toMatchObject({ code: 2, stderr: expect.stringContaining("A ' is not closed.") });
  });
});

test("serve --mcp has servers for pages and other clients, by names fit for paths, and ends them", async () => {
  const args = ["serve", "--port", "0", "--json", "--mcp", STDIO, "--mcp", STDIO];
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = finish(child);
  const line = await new Promise<string>((resolve) => child.stdout.once("data", (data) => resolve(`${data}`)));
  const { url } = JSON.parse(line);
  const { data } = await (await fetch(`${url}/mcp`)).json();
  expect(data.length).toBe(2);
  for (const { id } of data) {
    expect(id).toMatch(/^[\w.-]+$/);
    const client = new Client({ name: "test", version: "1.0.0" });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp/${id}`)) as never);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain("a/b");
    expect(await client.callTool({ name: "a b", arguments: {} })).toMatchObject({
      content: [{ type: "text", text: "another" }],
    });
    await client.close();
  }
  child.kill("SIGTERM");
  const { stderr } = await ended;
  expect(stderr).toContain("stopping");
  expect(stderr).not.toContain("has ended");
});

test("serve --mcp with a server that cannot be used does not start", async () => {
  const { code, stderr } = await zagreus(["serve", "--port", "0", "--mcp", "no-such-program x"]);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/server no-such-program x cannot be used/),
  });
});

test("without the SDK --mcp says how to install it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "zagreus-mcp-"));
  const path = (name: string) => join(directory, name);
  for (const name of ["cli.js", "main.js"]) copyFileSync(CLI.replace(/cli\.js$/, name), path(name));
  copyFileSync(fileURLToPath(new URL("../../../package.json", import.meta.url)), path("package.json")); // "type": "module"
  const { code, stderr } = await finish(spawn(process.execPath, [path("cli.js"), ...FLAGS, "--mcp", "echo"]));
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining("npm install @modelcontextprotocol/sdk (with -g if zagreus is)"),
  });
  rmSync(directory, { recursive: true });
});

describe("the pieces", () => {
  test("targets", () => {
    expect(parseTarget("https://example.com/mcp?key=1")).toMatchObject({ label: "https://example.com/mcp" });
    expect(parseTarget(`KEY='a b' B= npx -y "the server" C=1`)).toEqual({
      label: "npx -y the server C=1",
      command: "npx",
      args: ["-y", "the server", "C=1"],
      env: { KEY: "a b", B: "" },
    });
    expect(parseTarget("X-Key='a b' http://localhost:1/mcp")).toMatchObject({
      label: "http://localhost:1/mcp",
      headers: { "X-Key": "a b" },
    });
    expect(() => parseTarget("X-Key='a\nb' http://localhost:1/mcp")).toThrow("X-Key has no such value");
    for (const text of ["", "  ", "A=1", "http://", "https://me:secret@example.com/mcp"]) {
      expect(() => parseTarget(text), text).toThrow(/must be|no URL|password/);
    }
  });

  test("words that are quoted come back", () => {
    expect(words(String.raw`C:\a\b "C:\Program Files\x" it\'s '\'`)).toEqual([
      "C:\\a\\b",
      "C:\\Program Files\\x",
      "it's",
      "\\",
    ]);
    const quoted = (word: string) => `'${word.replaceAll("'", `'"'"'`)}'`;
    fc.assert(
      fc.property(fc.array(fc.string()), (list) => {
        expect(words(list.map(quoted).join(" "))).toEqual(list);
      }),
    );
    const escaped = (word: string) => word.replace(/[\\"'\s]/g, "\\$&");
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 })), (list) => {
        expect(words(list.map(escaped).join("\n"))).toEqual(list);
      }),
    );
  });

  test("names are safe and differ", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 100 }), { maxLength: 50 }), (list) => {
        const taken = new Set<string>();
        for (const name of list) {
          const safe = safeName(name, taken);
          expect(safe).toMatch(/^[A-Za-z0-9_.-]{1,64}$/);
          expect(taken.has(safe)).toBe(false);
          taken.add(safe);
        }
      }),
    );
    expect(safeName("get-sum", new Set())).toBe("get-sum");
  });

  test("a relaxed schema keeps properties that are named as bounds are", () => {
    const schema = {
      type: "object",
      properties: { format: { type: "string", format: "uri", maxLength: 9 }, pattern: { enum: [{ pattern: 1 }] } },
      required: ["format"],
      minProperties: 1,
      $defs: { not: { items: { minimum: 1 } } },
    };
    expect(relaxed(schema)).toEqual({
      type: "object",
      properties: { format: { type: "string" }, pattern: { enum: [{ pattern: 1 }] } },
      required: ["format"],
      $defs: { not: { items: {} } },
    });
  });

  test("results as text", () => {
    const content = [
      { type: "text", text: "a" },
      { type: "image", data: "AAAA", mimeType: "image/png" },
      { type: "resource", resource: { uri: "file:///x", text: "inside" } },
      { type: "resource", resource: { uri: "file:///y", mimeType: "application/zip", blob: "AAAA" } },
      { type: "resource_link", name: "z", uri: "file:///z" },
      null,
    ];
    expect(resultText({ content }, 1000).split("\n")).toEqual([
      "a",
      "[image image/png 3 bytes]",
      "inside",
      "[resource file:///y application/zip]",
      "[resource_link z file:///z]",
      "[something without a type]",
    ]);
    expect(resultText({ structuredContent: { a: 1 }, content: [] }, 100)).toBe('{"a":1}');
    expect(resultText({}, 100)).toBe("");
    expect(resultText({ content: [{ type: "text", text: "ab😀" }] }, 3)).toBe("ab… [cut: 2 more characters]");
    expect(() => resultText({ isError: true }, 100)).toThrow("the tool failed");
  });
});
