// examples/deploy/Dockerfile: its lines run in a clean folder, and then its command, as in the container.

import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { instructionsOf, Sandbox, stagesOf } from "./sandbox.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCKERFILE = join(ROOT, "examples/deploy/Dockerfile");
const stages = stagesOf(DOCKERFILE);
const sandboxes = new Map();
let context;

beforeAll(async () => {
  context = mkdtempSync(join(tmpdir(), "zagreus-context-"));
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", context], { cwd: ROOT });
  mkdirSync(join(context, "examples"));
  cpSync(join(ROOT, "examples/iot"), join(context, "examples/iot"), {
    recursive: true,
    filter: (path) => !path.includes("node_modules"),
  });
  for (const name of stages.keys()) {
    const sandbox = new Sandbox();
    sandboxes.set(name, sandbox);
    for (const instruction of instructionsOf(stages, name)) await sandbox.follow(instruction, context, sandboxes);
  }
});
afterAll(() => {
  for (const sandbox of sandboxes.values()) sandbox.remove();
  rmSync(context, { recursive: true, force: true });
});

const lastOf = (name, keyword) => instructionsOf(stages, name).findLast((each) => each.keyword === keyword)?.text;
const quoted = (words) => words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");

test("hadolint has nothing to say", () => {
  expect(execFileSync("hadolint", ["--failure-threshold", "style", DOCKERFILE], { encoding: "utf8" })).toBe("");
});

test("serve: a user without rights, a root that cannot be written, healthy, and ended by SIGTERM", async () => {
  const command = [...JSON.parse(lastOf("serve", "ENTRYPOINT")), ...JSON.parse(lastOf("serve", "CMD"))];
  const health = quoted(JSON.parse(lastOf("serve", "HEALTHCHECK").replace(/^.*?CMD /, "")));
  const { stdout } = await sandboxes.get("serve").run(
    `${health} && exit 9
    ${quoted(command)} 2>/tmp/log & server=$!
    until ${health}; do kill -0 $server || { cat /tmp/log; exit 8; }; sleep 0.2; done
    id -u; for path in / /usr /opt/zagreus /models; do test -w $path && echo "writes $path"; done
    node -e 'fetch("http://127.0.0.1:8080/v1/completions", { method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "Il re", max_tokens: 8 }) }).then(async (answer) => console.log(answer.status, await answer.text()))'
    kill -TERM $server; wait $server; echo "ended with $?"`,
    lastOf("serve", "USER"),
  );
  const [uid, ...lines] = stdout.trim().split("\n");
  expect(uid).toBe("1000");
  expect(lines[0]).toBe("writes /models");
  expect(lines[1]).toMatch(/^200 \{.*"completion_tokens":8/);
  expect(lines.at(-1)).toBe("ended with 0");
});

test("iot: beside the broker of the compose file, a question is answered", async () => {
  const iot = sandboxes.get("iot");
  copyFileSync(join(ROOT, "examples/deploy/mosquitto.conf"), join(context, "mosquitto.conf"));
  await iot.follow({ keyword: "COPY", text: "mosquitto.conf /opt/zagreus-iot/mosquitto.conf" }, context, sandboxes);
  const { stdout } = await iot.run(
    `mosquitto -c mosquitto.conf 2>/tmp/broker & broker=$!
    ${quoted(JSON.parse(lastOf("iot", "CMD")))} 2>/tmp/log & service=$!
    until node ask.mjs "C'era una volta"; do kill -0 $service || { cat /tmp/log /tmp/broker; exit 8; }; sleep 0.5; done
    echo; ls "$STATE_DIRECTORY"
    kill -TERM $service; wait $service; echo "ended with $?"; kill $broker`,
    lastOf("iot", "USER"),
    { MQTT_URL: "mqtt://127.0.0.1", ZAGREUS_DEVICE: "device" },
    ["/mosquitto/data"],
  );
  expect(stdout.length).toBeGreaterThan(100);
  expect(stdout).toContain("journal.jsonl");
  expect(stdout).toMatch(/^ended with 0$/m);
});
