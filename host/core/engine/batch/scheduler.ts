// Runs the work of all sequences together, pass by pass: whoever waits for a row is in the next one (continuous batching, as in Orca,
// https://www.usenix.org/conference/osdi22/presentation/yu). Work is asked for anew with every token, so that no text is made ahead of its
// reader. Rows do not depend on each other: every text is the one that its sequence has alone.
//
//     run(work)...   -> planPass() -> pages for those in the plan -> runLayers() -> logits -> work.take()...
//
// Where pages end, the youngest sequence gives up its own, and is run again when there is room: the same bits, later.
//
// Where layers are elsewhere, several passes are under way at once: planPass() -> depart() ... arrive() -> logits -> work.take()...

import { ZagreusError } from "../../api/errors.js";
import { failure } from "../../api/messages.js";
import type { KvSequence } from "../../kv/kv_sequence.js";
import { type Flight, hasLanded, type LayersElsewhere } from "./elsewhere.js";
import { Job, type Segment } from "./job.js";
import type { Machine } from "./machine.js";
import { arrive, depart, promptRows, runLayers, wantedRows } from "./pass.js";
import { isShort, planPass } from "./plan.js";
import type { Work } from "./work.js";

/**
 * What is waited for readers who have just got a token: some turns of the event loop, then as long as this part of the last pass took, and a
 * millisecond at least. In another thread they are not back at once, and whoever misses a pass waits for all of it.
 */
const PATIENT_TURNS = 4;
const PATIENCE = 1 / 8;
const PATIENCE_MS = 1;

/** Rows of prompts in a pass that others wait for with every token: 3 % above what a row costs in the largest batches. */
const CROWDED_ROWS = 32;
/** Milliseconds after which somebody who waits for a pass looks whether he still has to. */
const GLANCE_MS = 50;

export class Scheduler {
  /** Passes that were begun. */
  passes = 0;
  /** Changes when rows of the pass before are no longer valid. */
  stamp = 0;
  /** How often a sequence had to give up its pages, and tokens that were run again for it. */
  preemptions = 0;
  recomputedTokens = 0;
  readonly #machine: Machine;
  readonly #jobs = new Set<Job>();
  /** Of sequences. */
  readonly #ages = new WeakMap<KvSequence, number>();
  /** Sequences that had to give up their pages, and have not got any since. */
  readonly #preempted = new WeakSet<KvSequence>();
  #clock = 0;
  /** Those who have got what they wanted of the last pass, and may come for more. */
  readonly #expected = new Set<KvSequence>();
  /** Milliseconds that the last pass took. */
  #passMs = 0;
  /** Passes that are under way, in their order. */
  readonly #flights: Flight[] = [];
  /** Called when there is one more work. */
  #awaken = () => {};
  /** Resolves when nobody drives passes any more; undefined while nobody does. */
  #driven: Promise<void> | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Whether others have sequences, too. */
  get crowded(): boolean {
    return this.#machine.sequences.open.size > 1;
  }

  /** Works that wait for a pass, or are in one. */
  get works(): number {
    return this.#jobs.size;
  }

  /** @throws ZagreusError CONTEXT_OVERFLOW before anything runs, ACTIVATION_OVERFLOW, and what the work's functions throw */
  async run(work: Work): Promise<void> {
    const { contextLength } = this.#machine.info;
    const { length } = work.tokens;
    if (length > contextLength) throw failure("CONTEXT_OVERFLOW", length, contextLength, "prompt");
    if (work.from >= length) return; // no row is wanted
    const age = this.#ages.get(work.kv) ?? this.#clock++;
    this.#ages.set(work.kv, age);
    const job = new Job(work, age);
    this.#jobs.add(job);
    this.#expected.delete(work.kv);
    this.#awaken();
    // Passes are driven by whoever waits for one of them, as long as he does: on Cloudflare nobody's timers may outlive his request.
    while (this.#jobs.has(job)) {
      if (this.#driven) await Promise.race([job.end, this.#driven]);
      else await this.#drive(job);
    }
    await job.end;
  }

  /** Ends all works. */
  stop(error: unknown): void {
    for (const job of this.#jobs) this.#end(job, error);
  }

  /** Runs passes until a job has ended, or without one as long as there are some that are back. */
  async #drive(job?: Job): Promise<void> {
    let leave = () => {};
    this.#driven = new Promise((resolve) => {
      leave = resolve;
    });
    try {
      while (job ? this.#jobs.has(job) : this.#flights.slice(0, 1).some(hasLanded)) {
        await this.#gather();
        this.#endThose((each) => each.work.check());
        const { elsewhere } = this.#machine;
        if (elsewhere) await this.#fly(elsewhere);
        else await this.#pass(this.#plan());
      }
    } catch (error) {
      this.stop(error instanceof ZagreusError ? error : this.#machine.fail(error));
    } finally {
      this.#driven = undefined;
      leave();
    }
  }

  /** Waits for those who have got a token and come back for the next one, but not for who reads slowly. */
  async #gather(): Promise<void> {
    const { open } = this.#machine.sequences;
    if (open.size <= this.#jobs.size) await this.#machine.rest();
    const begun = performance.now();
    const patience = Math.max(PATIENCE * this.#passMs, PATIENCE_MS);
    for (let turns = 0; open.size > this.#jobs.size; turns++) {
      const waited = performance.now() - begun;
      const isAnyOut = [...this.#expected].some((kv) => open.has(kv));
      const isEnough = turns >= PATIENT_TURNS && (waited > patience || waited === 0); // Cloudflare's clock stands still
      if (turns > 0 && (!isAnyOut || isEnough)) break;
      await this.#machine.turn();
    }
    this.#expected.clear();
  }

  /** What is run next, of jobs that have the pages for it. */
  #plan(): Segment[] {
    const most = promptRows(this.#machine);
    this.#endThose((job) => {
      if (!job.kv.isEmpty && !job.aligned) job.align();
    });
    const ready = [...this.#jobs].filter((job) => job.rows > 0 && this.#mayRun(job));
    const limits = { prompt: most, crowded: Math.min(most, CROWDED_ROWS) };
    const plan = planPass(ready, (client) => this.#machine.fairness.of(client), limits);
    const planned = new Map<Job, number>();
    for (const { waiting: job, rows } of plan.toSorted((a, b) => a.waiting.age - b.waiting.age)) {
      let blocked = false;
      this.#endThose(() => {
        blocked = !this.#place(job, rows, planned);
      }, [job]);
      if (blocked) break; // the younger must not be faster to the pages of what is under way
    }
    let row = 0;
    return plan.flatMap(({ waiting: job }) => {
      const count = planned.get(job);
      if (count === undefined) return [];
      const segment = { job, row, position: job.position, count };
      row += count;
      return [segment];
    });
  }

  /** Whether a job has its pages, or finds those of all its tokens and one more; those that lost theirs come first. */
  #mayRun(job: Job): boolean {
    const { cache, open } = this.#machine.sequences;
    if (!job.kv.isEmpty) return true;
    for (const { kv, age } of this.#jobs) if (age < job.age && this.#preempted.has(kv)) return false;
    const waiting = new Set([...this.#jobs].map(({ kv }) => kv));
    const others = [...open].filter((kv) => !kv.isEmpty && waiting.has(kv));
    return others.length === 0 || cache.hasRoom(job.tokens, job.next, job.kv.origin, waiting);
  }

  /** Enters a job into the plan if there are pages for its rows. @returns whether there is no need to wait for those under way */
  #place(job: Job, rows: number, planned: Map<Job, number>): boolean {
    if (!job.aligned) {
      job.align();
      this.#preempted.delete(job.kv);
    }
    const count = Math.min(rows, job.rows);
    while (!job.kv.grow(job.position + count)) {
      const victim = this.#victim(job, planned);
      if (!victim && this.#flights.length > 0) return false;
      this.#preempt(victim ?? job.kv);
      if (!victim) return true;
    }
    planned.set(job, count);
    return true;
  }

  /** Who gives up pages for a job: nobody of the plan, or under way, first those who wait for no row, then the youngest that is younger. */
  #victim(job: Job, planned: ReadonlyMap<Job, number>): KvSequence | undefined {
    const waiting = new Map([...this.#jobs].map((other) => [other.kv, planned.has(other) ? -1 : other.age]));
    const age = (kv: KvSequence) => waiting.get(kv) ?? this.#clock + this.#ages.get(kv)!;
    let victim: KvSequence | undefined;
    for (const kv of this.#machine.sequences.open) {
      if (kv !== job.kv && !kv.isEmpty && !kv.busy && age(kv) > (victim ? age(victim) : job.age)) victim = kv;
    }
    return victim;
  }

  #preempt(kv: KvSequence): void {
    this.preemptions++;
    this.recomputedTokens += kv.length;
    this.#preempted.add(kv);
    kv.drop();
    for (const job of this.#jobs) if (job.kv === kv) job.aligned = false;
  }

  async #pass(segments: readonly Segment[]): Promise<void> {
    if (segments.length === 0) return;
    this.passes++;
    this.stamp++;
    for (const { job } of segments) job.kv.busy = true;
    try {
      const alive = () => {
        this.#endThose((job) => job.work.check());
        return segments.some(({ job }) => this.#jobs.has(job));
      };
      const begun = performance.now();
      const few = segments.every(({ job }) => isShort(job));
      if (!(await runLayers(this.#machine, segments, alive))) return;
      this.#passMs = performance.now() - begun;
      this.#finish(segments);
      if (few) this.#learn(segments, performance.now() - begun);
    } finally {
      for (const { job } of segments) job.kv.settle();
    }
  }

  /** All layers have run: the books, and what jobs want of the rows. */
  #finish(segments: readonly Segment[]): void {
    const sound = segments.filter((segment) => this.#count(segment));
    for (const group of wantedRows(sound)) this.#project(group);
    for (const { job } of sound) {
      if (!job.done) continue;
      this.#expected.add(job.kv);
      this.#end(job);
    }
  }

  /** Has one more pass depart, or waits for the oldest, or for another work. */
  async #fly(elsewhere: LayersElsewhere): Promise<void> {
    const segments = this.#flights.length < elsewhere.depth ? this.#plan() : [];
    if (segments.length > 0) {
      this.passes++;
      this.stamp++;
      for (const { job, count } of segments) {
        job.kv.busy = true;
        job.ahead += count;
      }
      const flight = depart(this.#machine, segments);
      this.#flights.push(flight);
      // What nobody waits for any more lands by itself.
      flight.landed.then(() => this.#driven ?? this.#drive());
      return;
    }
    const [oldest] = this.#flights;
    if (!oldest) return;
    if (!hasLanded(oldest)) await this.#change(oldest);
    if (oldest.failure) this.#recover(elsewhere, oldest.failure.error);
    else if (oldest.rows) this.#land();
  }

  /** Resolves when a pass is back, when there is another work, and now and then, because works may be aborted. */
  async #change({ landed }: Flight): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const another = new Promise<void>((resolve) => {
      this.#awaken = resolve;
      timer = setTimeout(resolve, GLANCE_MS);
    });
    await Promise.race([landed, another]);
    clearTimeout(timer);
  }

  /** The oldest of the passes that are under way is back. */
  #land(): void {
    const [flight] = this.#flights as [Flight];
    this.stamp++;
    arrive(this.#machine, flight);
    this.#flights.shift();
    for (const { job, count } of flight.segments) job.ahead -= count;
    try {
      this.#finish(flight.segments);
    } finally {
      this.#settle([flight]);
    }
  }

  /** What is under way is lost, and so is everything that was in the pages: all is run again where it is wanted. */
  #recover(elsewhere: LayersElsewhere, error: unknown): void {
    const lost = this.#flights.splice(0);
    for (const { segments } of lost) for (const { job, count } of segments) job.ahead -= count;
    this.#settle(lost);
    for (const kv of this.#machine.sequences.open) if (!kv.isEmpty) this.#preempt(kv);
    this.#machine.sequences.cache.clear();
    elsewhere.recover(error);
  }

  /** Sequences of which nothing is under way any more. */
  #settle(landed: readonly Flight[]): void {
    const kvs = (flights: readonly Flight[]) => flights.flatMap(({ segments }) => segments.map(({ job }) => job.kv));
    const busy = new Set(kvs(this.#flights));
    for (const kv of kvs(landed)) if (!busy.has(kv)) kv.settle();
  }

  /** Enters what was run into the books. @returns whether there is somebody who wants the rows */
  #count({ job, row, position, count }: Segment): boolean {
    const { core, fairness } = this.#machine;
    fairness.add(job.client, count);
    this.#endThose(() => core.check(core.exports.rowStatus(row, count)), [job]);
    if (!this.#jobs.has(job)) return false;
    job.run += count;
    job.kv.ran(job.tokens.slice(position, position + count), job.sure);
    this.#endThose(() => job.work.progress?.(position + count, job.run), [job]);
    return this.#jobs.has(job);
  }

  /** Computes what jobs want of neighbouring rows, and hands it to them. */
  #project(group: readonly Segment[]): void {
    const { core, info } = this.#machine;
    const { exports } = core;
    const [first] = group as [Segment];
    const count = group.reduce((sum, segment) => sum + segment.count, 0);
    const { states } = first.job.work;
    const address = (states ? exports.hidden(first.row, count) : exports.logits(first.row, count)) >>> 0;
    const width = states ? info.hidden : info.vocabulary;
    for (const { job, row, position, count } of group) {
      const index = row - first.row;
      this.#endThose(() => {
        core.check(exports.rowStatus(row, count));
        job.work.take({ position, count, row: index, address: address + 4 * index * width });
        job.next = position + count;
      }, [job]);
    }
  }

  /** What a pass of few rows cost, of which kernels and guesses depend. */
  #learn(segments: readonly Segment[], ms: number): void {
    const { kernels, batchCosts } = this.#machine;
    const rows = segments.reduce((sum, { count }) => sum + count, 0);
    if (kernels?.learn(rows, ms) && segments.length === 1) batchCosts.record(rows, ms);
  }

  /** Ends those jobs for which `run` throws, and no others. */
  #endThose(run: (job: Job) => void, jobs: Iterable<Job> = this.#jobs): void {
    for (const job of jobs) {
      if (!this.#jobs.has(job)) continue;
      try {
        run(job);
      } catch (error) {
        this.#end(job, error);
      }
    }
  }

  #end(job: Job, error?: unknown): void {
    if (!this.#jobs.delete(job)) return;
    if (error === undefined) job.resolve();
    else job.reject(error);
  }
}
