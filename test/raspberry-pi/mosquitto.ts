// A broker, and services of examples/iot as processes: all can be stopped, killed and started again.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MOSQUITTO = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].find((file) => existsSync(file)) ?? "mosquitto";
const DEVICE = "test";

/** MQTT 5's. */
interface Properties {
  responseTopic?: string;
  correlationData?: Buffer;
  userProperties?: Record<string, string>;
}
type Packet = { qos: number; retain: boolean; properties?: Properties };
interface Client {
  on(event: "message", listener: (topic: string, payload: Buffer, packet: Packet) => void): void;
  subscribeAsync(topics: Record<string, { qos: 0 | 1 | 2 }>): Promise<unknown>;
  publishAsync(
    topic: string,
    payload: string | Buffer,
    options: { qos: 0 | 1 | 2; properties?: Properties },
  ): Promise<unknown>;
  endAsync(force?: boolean): Promise<void>;
}
// The example's own copy: this folder has none.
const mqtt: { connectAsync(url: string, options: object): Promise<Client> } = createRequire(
  join(ROOT, "examples/iot/service.mjs"),
)("mqtt");

/** Ends a process and waits until it is gone. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}

export async function until(what: string, condition: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !(await condition()); await sleep(20)) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
  }
}

/** A folder with a broker's and a service's state. */
export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), "zagreus-iot-test-"));
  readonly state = join(this.folder, "state");
  url = "";
  #port = 0;
  #broker: ChildProcess | undefined;
  #services: ChildProcess[] = [];
  #clients: Client[] = [];
  /** Standard error of all services so far. */
  log = "";

  /** @param rules of who may do what (mosquitto's acl_file) */
  static async create(rules = "topic readwrite #\n"): Promise<Site> {
    const site = new Site();
    mkdirSync(site.state);
    site.#port = await freePort();
    site.url = `mqtt://127.0.0.1:${site.#port}`;
    const settings = ["allow_anonymous true", "persistence true", `persistence_location ${site.folder}/`, "user root"];
    writeFileSync(join(site.folder, "acl"), rules);
    settings.push(`acl_file ${site.folder}/acl`);
    writeFileSync(join(site.folder, "conf"), [`listener ${site.#port} 127.0.0.1`, ...settings, ""].join("\n"));
    await site.startBroker();
    return site;
  }

  get journal(): string {
    return join(this.state, "journal.jsonl");
  }

  async startBroker(): Promise<void> {
    this.#broker = spawn(MOSQUITTO, ["-c", join(this.folder, "conf")], { stdio: "ignore" });
    await once(this.#broker, "spawn");
    await until("the broker listens", () => listens(this.#port));
  }

  async stopBroker(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#broker) await end(this.#broker, signal);
  }

  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, MQTT_URL: this.url, ZAGREUS_DEVICE: DEVICE, STATE_DIRECTORY: this.state };
  }

  /** The service's process, once it takes requests. */
  async startService(settings: NodeJS.ProcessEnv = {}): Promise<ChildProcess> {
    const before = this.log.length;
    const service = this.launchService(settings);
    await until("the service is ready", () => {
      if (service.exitCode !== null) throw new Error(`the service ended with code ${service.exitCode}: ${this.log}`);
      return this.log.slice(before).includes("waiting for");
    });
    return service;
  }

  launchService(settings: NodeJS.ProcessEnv = {}): ChildProcess {
    const options = { cwd: join(ROOT, "examples/iot"), env: { ...this.environment, ...settings } };
    const service = spawn(process.execPath, ["service.mjs"], { ...options, stdio: ["ignore", "ignore", "pipe"] });
    service.stderr.on("data", (data) => {
      this.log += data;
    });
    this.#services.push(service);
    return service;
  }

  async stopService(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const service = this.#services.at(-1);
    if (service) await end(service, signal);
    return service?.exitCode ?? null;
  }

  /** A client of the broker, whose session stays. */
  async client(): Promise<Client> {
    const client = await mqtt.connectAsync(this.url, {
      protocolVersion: 5,
      clientId: `asker-${this.#clients.length}`,
      clean: false,
      properties: { sessionExpiryInterval: 0xffffffff },
      reconnectPeriod: 50,
    });
    this.#clients.push(client);
    return client;
  }

  /** Someone who asks a device or a group, and keeps every answer that comes. */
  async asker(name = DEVICE): Promise<Asker> {
    const client = await this.client();
    const answers = new Map<string, string[]>();
    const pieces = new Map<string, Piece[]>();
    client.on("message", (topic, payload) => {
      const [, , kind, id = ""] = topic.split("/");
      if (kind === "answers") answers.set(id, [...(answers.get(id) ?? []), String(payload)]);
      else pieces.set(id, [...(pieces.get(id) ?? []), JSON.parse(String(payload))]);
    });
    await client.subscribeAsync({ [`zagreus/${name}/answers/+`]: { qos: 2 } });
    await client.subscribeAsync({ [`zagreus/${name}/pieces/+`]: { qos: 0 } });
    return {
      answers,
      pieces,
      ask: async (id, request) => {
        const payload = typeof request === "string" || request instanceof Buffer ? request : JSON.stringify(request);
        await client.publishAsync(`zagreus/${name}/requests/${id}`, payload, { qos: 1 });
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#services.map((service) => end(service, "SIGKILL")));
    await Promise.all(this.#clients.map((client) => client.endAsync(true)));
    await this.stopBroker("SIGKILL");
    rmSync(this.folder, { recursive: true });
  }

  /** Records of the service's journal. */
  records(): Record<string, unknown>[] {
    const lines = readFileSync(this.journal, "utf8").trim().split("\n");
    return lines.filter(Boolean).map((line) => JSON.parse(line));
  }
}

/** A chunk of a stream. */
export interface Piece {
  choices: { text?: string; delta?: { content?: string } }[];
}

export interface Asker {
  /** Payloads by id, in the order in which they came. */
  answers: Map<string, string[]>;
  pieces: Map<string, Piece[]>;
  /** Resolves when the broker has the request. */
  ask(id: string, request: object | string | Buffer): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
