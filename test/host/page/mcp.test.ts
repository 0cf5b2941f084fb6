// The page's MCP servers, with a server of the official SDK over HTTP. In browsers: test/chat.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Permission, WantedCall } from "../../../host/mcp/offer";
import { parseHeaders } from "../../../host/page/chat/headers";
import { McpServers, type ServerState } from "../../../host/page/mcp/servers";
import { runCall } from "../../../host/page/model/tools";

const SERVER = fileURLToPath(new URL("../../support/mcp/server.mjs", import.meta.url));
const NONE = new AbortController().signal;

let child: ReturnType<typeof spawn>;
let url: string;
beforeAll(async () => {
  vi.stubGlobal("ZAGREUS_VERSION", "0.0.0");
  const env = { ...process.env, TOKEN: "secret" };
  child = spawn(process.execPath, [SERVER, "http"], { env, stdio: ["ignore", "pipe", "inherit"] });
  url = `${(await once(child.stdout!, "data"))[0]}`.trim();
});
afterAll(() => {
  child.kill();
  vi.unstubAllGlobals();
});

/** Servers that are asked for, and what was seen of them. */
function watched(answers: Permission[] = []) {
  const seen = { states: [] as readonly ServerState[], asked: [] as WantedCall[] };
  const handlers = {
    onChange: (states: readonly ServerState[]) => {
      seen.states = states;
    },
    ask: async (call: WantedCall) => {
      seen.asked.push(call);
      return answers.shift() ?? "no";
    },
  };
  const servers = new McpServers(handlers, () => import("../../../host/page/mcp/bundle"));
  return { servers, seen };
}

const wanted = (isOn = (_url: string, _tool: string) => true, taken: string[] = []) => ({
  taken,
  isOn,
  contextLength: 1000,
});
const call = (name: string, args = {}) => ({
  id: "1",
  type: "function" as const,
  function: { name, arguments: JSON.stringify(args) },
});

test("tools of a server: with free names, relaxed or left out; asked for until always", async () => {
  const { servers, seen } = watched(["no", "yes", "always"]);
  const connecting = servers.connect(url, { authorization: "Bearer secret" });
  expect(seen.states).toMatchObject([{ url, status: "connecting" }]);
  const tools = await servers.offered(wanted(undefined, ["fails"]), NONE); // waits
  await connecting;
  expect(seen.states).toMatchObject([{ status: "ready", error: undefined }]);
  expect(seen.states[0]!.unusable).toEqual([
    { name: "elsewhere", reason: expect.stringContaining("https://example.com/schema.json") },
  ]);
  const names = tools.map(({ function: { name } }) => name);
  expect(names.slice(0, 4)).toEqual(["a_b", "a_b_2", "bounded", "fails_2"]);
  expect(tools[2]!.function.parameters).toMatchObject({ properties: { x: { type: "string", enum: ["b"] } } });

  const run = (name: string, args = {}) => runCall(call(name, args), tools, NONE);
  expect(await run("a_b_2")).toBe('{"error":"the user does not allow this call"}');
  expect(await run("a_b_2")).toBe("another");
  expect(await run("bounded", { x: "b" })).toBe("b");
  expect(await run("bounded", { x: "b" })).toBe("b");
  expect(await run("a_b")).toBe('{"error":"the user does not allow this call"}');
  expect(seen.asked.map(({ tool, args }) => [tool, args])).toEqual([
    ["a b", {}],
    ["a b", {}],
    ["bounded", { x: "b" }],
    ["a/b", {}],
  ]);
  servers.remove(url);
  expect(seen.states).toEqual([]);
  expect(await servers.offered(wanted(), NONE)).toEqual([]);
});

test("tools that are off; an error of a tool, a result that is too long, a list that changes", async () => {
  const { servers, seen } = watched(["yes", "yes", "yes"]);
  await servers.connect(url, { authorization: "Bearer secret" });
  const tools = await servers.offered(
    wanted((_, name) => ["fails", "long", "grows"].includes(name)),
    NONE,
  );
  expect(tools.map(({ function: { name } }) => name)).toEqual(["fails", "long", "grows"]);
  expect(await runCall(call("fails"), tools, NONE)).toBe('{"error":"it is broken"}');
  expect(await runCall(call("long"), tools, NONE)).toContain("… [cut: 99000 more characters]");
  expect(seen.states[0]!.status).toBe("ready"); // what a tool says of itself does not end the connection
  expect(await runCall(call("grows"), tools, NONE)).toBe("grown");
  await vi.waitFor(() => expect(seen.states[0]!.tools.map(({ name }) => name)).toContain("grown"));
  servers.remove(url);
});

test("a server that lets nobody in, one that is not there, one that is stopped waiting for", async () => {
  const { servers, seen } = watched();
  await servers.connect(url, {});
  expect(seen.states).toMatchObject([{ status: "failed", error: expect.stringMatching(/who are you\?/) }]);
  const nowhere = "http://127.0.0.1:1/mcp";
  await servers.connect(nowhere, {});
  expect(seen.states[1]).toMatchObject({ status: "failed", error: expect.stringContaining("127.0.0.1:1/mcp") });
  expect(await servers.offered(wanted(), NONE)).toEqual([]);
  const stopping = new AbortController();
  void servers.connect(url, { authorization: "Bearer secret" });
  const offered = servers.offered(wanted(), stopping.signal);
  stopping.abort(new Error("enough"));
  await expect(offered).rejects.toThrow("enough");
  servers.remove(url);
});

test("headers: names are tokens, values what a request takes", () => {
  expect(parseHeaders(" Authorization :  Bearer a:b \n\nX-Key:1\n")).toEqual({
    Authorization: "Bearer a:b",
    "X-Key": "1",
  });
  expect(parseHeaders("")).toEqual({});
  for (const text of ["nonsense", ": 1", "a b: 1", "A: €", "ok: 1\nnot ok"]) expect(() => parseHeaders(text)).toThrow();
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      let headers: Record<string, string>;
      try {
        headers = parseHeaders(text);
      } catch {
        return;
      }
      new Headers(headers);
    }),
  );
});
