// Lines from a person at a terminal, or from a script on standard input, and what Ctrl-C means to them.

import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";

export interface Streams {
  input: NodeJS.ReadableStream & { isTTY?: boolean | undefined };
  output: NodeJS.WritableStream & { isTTY?: boolean | undefined; columns?: number | undefined };
}

const HISTORY = 1000;

export class Terminal {
  /** Whether a person is there: input and output are a terminal. */
  readonly interactive: boolean;
  readonly #output: Streams["output"];
  readonly #readline: Interface;
  readonly #lines: string[] = [];
  #ended = false;
  #closed = false;
  #waiting: ((line: string | undefined) => void) | undefined;
  #work: AbortController | undefined;
  #leaving = false;

  /** Whether a person is at both ends. */
  static isInteractive({ input, output }: Streams): boolean {
    return input.isTTY === true && output.isTTY === true;
  }

  /** @param signal ends the input and what runs */
  constructor({ input, output }: Streams, signal: AbortSignal) {
    this.interactive = Terminal.isInteractive({ input, output });
    this.#output = output;
    this.#readline = this.interactive
      ? createInterface({ input, output: this.#screen(), terminal: true, historySize: HISTORY })
      : createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    this.#readline.on("line", (line) => this.#receive(line));
    this.#readline.on("close", () => this.#end());
    this.#readline.on("SIGINT", () => this.#interrupt());
    signal.addEventListener("abort", () => this.close(), { once: true });
    if (signal.aborted) this.close();
  }

  /**
   * The next line; undefined when there are no more. A person sees `prompt` before it.
   * @param fresh it must be typed from now on: what was typed before is no answer to a question that was not there
   */
  read(prompt: string, fresh = false): Promise<string | undefined> {
    const line = fresh ? undefined : this.#lines.shift();
    if (line !== undefined || this.#ended) return Promise.resolve(line);
    return new Promise((resolve) => {
      this.#waiting = resolve;
      if (!this.interactive) return;
      this.#readline.setPrompt(prompt);
      this.#readline.prompt(true); // with what was typed meanwhile
    });
  }

  /**
   * Runs `work`, which Ctrl-C stops, and a read() of its own ends without a line. What is typed while it reads nothing is kept for later,
   * and not shown.
   */
  async interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#work = controller;
    if (this.#closed) controller.abort();
    try {
      return await work(controller.signal);
    } finally {
      this.#work = undefined;
    }
  }

  /** Ends everything: what runs, and lines that wait. */
  close(): void {
    this.#closed = true;
    this.#lines.length = 0;
    this.#work?.abort();
    this.#readline.close();
  }

  #receive(line: string): void {
    this.#leaving = false;
    if (!this.#answer(line)) this.#lines.push(line);
  }

  #end(): void {
    this.#ended = true;
    this.#answer(undefined);
  }

  /** Gives a line to who waits for one, if there is somebody. */
  #answer(line: string | undefined): boolean {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(line);
    return waiting !== undefined;
  }

  /** Stops what runs, else empties the line, else leaves at the second time. */
  #interrupt(): void {
    if (this.#work) {
      if (this.#waiting) this.#readline.write(null, { ctrl: true, name: "u" });
      this.#work.abort();
      this.#answer(undefined);
    } else if (this.#readline.line.length > 0) {
      this.#readline.write(null, { ctrl: true, name: "e" });
      this.#readline.write(null, { ctrl: true, name: "u" });
    } else if (this.#leaving) {
      this.close();
    } else {
      this.#leaving = true;
      this.#output.write("\n(Ctrl-C again or /exit to leave)\n");
      this.#readline.prompt();
    }
  }

  /** The output as readline needs it, quiet while something else writes there. */
  #screen(): Writable {
    const screen = new Writable({
      write: (chunk, _encoding, done) => {
        if (this.#work && !this.#waiting) return done();
        this.#output.write(chunk);
        done();
      },
    });
    Object.defineProperty(screen, "columns", { get: () => this.#output.columns });
    this.#output.on("resize", () => screen.emit("resize"));
    return screen;
  }
}
