// Which kernels run. All give the same bits, so the clock may choose, and choose anew: over the first passes of a generation they take
// turns. A clock that stands still leaves everything as it is.

import { KERNEL_ALONE, KERNEL_STREAMS_FEW, KERNEL_STREAMS_ONE } from "../../../assembly/layout/abi.js";
import type { Build } from "../api/api.js";
import type { Core } from "./core.js";
import { dotKernels } from "./dot_probe.js";

/** Passes of a contest, half of them each one's. */
const TURNS = 8;
/** Passes after which there is another: the machine may have been busy, or idle, at the time of the last. */
const AGAIN = 1024;
/** What one thread must save to be better than all of them: they may be as fast and leave other work more of the machine. */
const ALONE = 0.9;

/** Two ways of running a pass; which is faster. */
class Contest {
  #turn = 0;
  #ms = [0, 0] as [number, number];
  readonly #judge: (before: number, ms: number) => number;
  readonly #handicap: number;
  /** Whether the second has won. */
  won = false;

  /** @param judge of the times of a way, from 0 on, its result; the second wins below `handicap` of the first's. */
  constructor(judge: (before: number, ms: number) => number, handicap = 1) {
    this.#judge = judge;
    this.#handicap = handicap;
  }

  get decided(): boolean {
    return this.#turn >= TURNS;
  }

  /** Whether the second way runs now: first, second, second, first ... */
  get second(): boolean {
    return this.decided ? this.won : ((this.#turn + 1) & 2) !== 0;
  }

  learn(ms: number): void {
    const way = this.second ? 1 : 0;
    this.#ms[way] = this.#judge(this.#ms[way], ms);
    this.#turn++;
    if (this.decided) this.won = this.#ms[1] < this.#handicap * this.#ms[0];
  }

  restart(): void {
    this.#turn = 0;
    this.#ms = [0, 0];
  }
}

/** Interruptions make a pass slow and nothing makes it fast. */
const fastest = (before: number, ms: number) => (before > 0 ? Math.min(before, ms) : ms);
/** Interruptions are what more threads suffer from. */
const total = (before: number, ms: number) => before + ms;

export class KernelChoice {
  readonly #core: Core;
  readonly #dots: number;
  readonly #one = new Contest(fastest);
  readonly #few = new Contest(fastest);
  readonly #alone: Contest | undefined;
  #passes = 0;

  /** Sets the kernels of a core whose passes it is then told of. */
  constructor(core: Core, { build, threads }: { build: Build; threads: number }) {
    this.#core = core;
    this.#dots = build.startsWith("relaxed") ? dotKernels() : 0;
    this.#alone = threads > 1 ? new Contest(total, ALONE) : undefined;
    this.#set();
  }

  /** A sum of KERNEL_*: what runs now. */
  get kernels(): number {
    return (
      this.#dots +
      (this.#one.second ? KERNEL_STREAMS_ONE : 0) +
      (this.#few.second ? KERNEL_STREAMS_FEW : 0) +
      (this.#alone?.second && this.#one.decided ? KERNEL_ALONE : 0)
    );
  }

  /** Learns that a pass over `rows` tokens took `ms`. @returns whether its kernels are those that will run again */
  learn(rows: number, ms: number): boolean {
    if (!(ms > 0)) return true;
    const contest = this.#contest(rows);
    contest?.learn(ms);
    if (++this.#passes % AGAIN === 0) for (const each of [this.#one, this.#few, this.#alone]) each?.restart();
    this.#set();
    return !contest;
  }

  /** The contest that such a pass belongs to, while it is undecided. */
  #contest(rows: number): Contest | undefined {
    if (rows > 1) return this.#few.decided ? undefined : this.#few;
    if (!this.#one.decided) return this.#one;
    return this.#alone?.decided ? undefined : this.#alone;
  }

  #set(): void {
    this.#core.exports.setKernels(this.kernels);
  }
}
