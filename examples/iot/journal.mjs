// What survives a crash or a power cut: requests that were accepted, answers that are on their way, and the ids of both.
// One JSON record a line, on the disk before the call returns:
//
//   {"accept": id, "request": text, "reply": …}   until it is answered; "reply" is the answer's topic and properties
//   {"attempt": id, "number": n}                  the n-th attempt to answer it begins
//   {"put": messageId, "packet": packet}          what MQTT must deliver exactly once: the answer, then its release
//   {"del": messageId}                            delivered
//
// An answer becomes the packet to be delivered in one record, so there is no moment at which a request is neither open
// nor answered, or both. To mqtt.js the journal is the store of outgoing packets.

import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { Readable } from "node:stream";

/** Ids whose repetition is recognized. */
const MOST_IDS = 10_000;
/** Records after which the file is written anew. */
const MOST_RECORDS = 5_000;

/** Which request a packet answers. */
const answeredBy = ({ properties }) => properties.userProperties.request;

/** JSON writes a Buffer so. */
const revive = (_, value) => (value?.type === "Buffer" ? Buffer.from(value.data) : value);

export class Journal {
  /** id -> {request, reply, attempts}, the oldest first */
  #open = new Map();
  /** ids of answered requests, the oldest first */
  #answered = new Set();
  /** messageId -> packet, in the order of their sending */
  #packets = new Map();
  #path;
  #file;
  #records = 0;

  constructor(path) {
    this.#path = path;
    if (existsSync(path)) this.#replay(readFileSync(path, "utf8"));
    this.#rewrite();
  }

  /** Requests without an answer. */
  get size() {
    return this.#open.size;
  }

  /** Whether the id was ever accepted. */
  knows(id) {
    return this.#open.has(id) || this.#answered.has(id);
  }

  /** @param reply where its answer goes: {topic, properties} of the packet */
  accept(id, request, reply) {
    this.#append({ accept: id, request, reply });
  }

  /** The oldest request without an answer: {id, request, reply, attempts}; undefined if there is none. */
  next() {
    for (const [id, open] of this.#open) return { id, ...open };
    return undefined;
  }

  /** 0 takes back the first attempt. */
  attempt(id, number) {
    this.#append({ attempt: id, number });
  }

  // mqtt.js's store

  put(packet, done) {
    this.#append({ put: packet.messageId, packet });
    done?.();
    return this;
  }

  del({ messageId }, done) {
    const packet = this.#packets.get(messageId);
    if (packet) this.#append({ del: messageId });
    done?.(packet ? null : new Error("no such packet"), packet);
    return this;
  }

  get({ messageId }, done) {
    const packet = this.#packets.get(messageId);
    done?.(packet ? null : new Error("no such packet"), packet);
    return this;
  }

  createStream() {
    return Readable.from([...this.#packets.values()]);
  }

  /** mqtt.js closes its store when it ends; the file stays open for requests that may still come. */
  close(done) {
    done?.();
  }

  #append(record) {
    writeSync(this.#file, `${JSON.stringify(record)}\n`);
    fdatasyncSync(this.#file);
    this.#apply(record);
    if (++this.#records >= MOST_RECORDS) this.#rewrite();
  }

  #apply({ accept, attempt, put, del, answered, request, reply, attempts = 0, number, packet }) {
    if (accept !== undefined) this.#open.set(accept, { request, reply, attempts });
    if (attempt !== undefined && this.#open.has(attempt)) this.#open.get(attempt).attempts = number;
    if (answered !== undefined) this.#answered.add(answered);
    if (put !== undefined) {
      this.#packets.set(put, packet);
      if (packet.cmd === "publish") {
        this.#open.delete(answeredBy(packet));
        this.#answered.add(answeredBy(packet));
      }
    }
    if (del !== undefined) this.#packets.delete(del);
    for (const id of this.#answered) {
      if (this.#answered.size <= MOST_IDS) break;
      this.#answered.delete(id);
    }
  }

  #replay(text) {
    for (const [index, line] of text.split("\n").entries()) {
      if (line === "") continue;
      try {
        this.#apply(JSON.parse(line, revive));
      } catch {
        // The last line may have been cut short: then nobody was told that it is done.
        console.error(`${this.#path}: line ${index + 1} is damaged and left out`);
      }
    }
  }

  /** Writes what still counts under another name, which then takes the file's place. */
  #rewrite() {
    const records = [
      ...[...this.#answered].map((id) => ({ answered: id })),
      ...[...this.#open].map(([id, open]) => ({ accept: id, ...open })),
      ...[...this.#packets].map(([messageId, packet]) => ({ put: messageId, packet })),
    ];
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = openSync(`${this.#path}.new`, "w");
    writeSync(this.#file, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    fsyncSync(this.#file);
    renameSync(`${this.#path}.new`, this.#path);
    const folder = openSync(dirname(this.#path), "r");
    fsyncSync(folder);
    closeSync(folder);
    this.#records = 0;
  }
}
