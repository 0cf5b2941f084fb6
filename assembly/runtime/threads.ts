// Work shared between threads, by chunks that whoever is free takes next. Splitting by output rows or heads, never within a sum,
// leaves every result as it is. Nothing waits for a thread that has not started or lost its core: it only takes no chunk.
//
//     pool, one cache line each:   generation, sleepers | open | next | active, waiting | job, chunks, parameters
//
// The caller opens a job, takes chunks like everybody, closes it and waits until nobody is active. A worker counts itself active
// before it looks whether a job is open; so either the caller sees it, or it sees the job closed. Without threads all of this is a loop.

import { MAX_THREADS } from "../layout/abi";
import { poolAddress } from "./memory";

/** Whether this build shares its memory. */
const THREADS: bool = ASC_FEATURE_THREADS;

const GENERATION: usize = 0; // u32, counts jobs; workers sleep on it
const SLEEPERS: usize = 4; // u32
const STOP: usize = 8; // u32
const COUNT: usize = 12; // i32, threads in all
const MAY_BLOCK: usize = 16; // u32
const OPEN: usize = 64; // u32
const NEXT: usize = 128; // i32, the chunk to take
const ACTIVE: usize = 192; // u32
const WAITING: usize = 196; // u32, 1 while the caller sleeps on ACTIVE
const JOB: usize = 256; // u32, index in the function table
const CHUNKS: usize = 260; // i32
const PARAMETERS: usize = 264; // u32[8]

const SPINS = 20000;
const WAIT_NANOSECONDS: i64 = 100000;

/** Threads that jobs are cut for, the caller's own among them. */
// @ts-ignore: decorator
@inline
export function threadCount(): i32 {
  return THREADS ? max(load<i32>(poolAddress(), COUNT), 1) : 1;
}

/** Whether the caller computes alone. */
let alone: bool = false;
/** Lets the other threads rest, or help again. */
export function computeAlone(yes: bool): void {
  alone = yes;
}

/** Before a load: how many threads there will be, and whether the caller's may wait (a browser's main thread must not). */
export function prepareThreads(count: i32, mayBlock: bool): void {
  store<i32>(poolAddress(), min(count, MAX_THREADS), COUNT);
  store<u32>(poolAddress(), mayBlock, MAY_BLOCK);
  store<u32>(poolAddress(), 0, STOP);
}

/** A parameter of the job that is being run. */
// @ts-ignore: decorator
@inline
export function parameter(index: i32): usize {
  return load<usize>(poolAddress() + 4 * index, PARAMETERS);
}
/** Sets a parameter of the job that parallelFor() runs next. */
// @ts-ignore: decorator
@inline
export function setParameter(index: i32, value: usize): void {
  store<usize>(poolAddress() + 4 * index, value, PARAMETERS);
}

/** Runs job(chunk, thread) for every chunk, on all threads; returns when all are done. */
export function parallelFor(job: (chunk: i32, thread: i32) => void, chunks: i32): void {
  if (!THREADS || alone || threadCount() == 1) {
    for (let chunk = 0; chunk < chunks; chunk++) job(chunk, 0);
    return;
  }
  const pool = poolAddress();
  store<u32>(pool, job.index, JOB);
  store<i32>(pool, chunks, CHUNKS);
  atomic.store<i32>(pool, 0, NEXT);
  atomic.store<u32>(pool, 1, OPEN);
  atomic.add<u32>(pool, 1, GENERATION);
  if (atomic.load<u32>(pool, SLEEPERS) > 0) atomic.notify(pool + GENERATION, MAX_THREADS);
  runChunks(0);
  atomic.store<u32>(pool, 0, OPEN);
  awaitIdle();
}

function runChunks(thread: i32): void {
  const pool = poolAddress();
  const job = load<u32>(pool, JOB);
  const chunks = load<i32>(pool, CHUNKS);
  for (;;) {
    const chunk = atomic.add<i32>(pool, 1, NEXT);
    if (chunk >= chunks) return;
    call_indirect<void>(job, chunk, thread);
  }
}

function awaitIdle(): void {
  const pool = poolAddress();
  for (;;) {
    for (let spin = 0; spin < SPINS; spin++) if (atomic.load<u32>(pool, ACTIVE) == 0) return;
    if (!load<u32>(pool, MAY_BLOCK)) continue;
    // A long chunk, or more threads than cores: give the core to who holds a chunk.
    atomic.store<u32>(pool, 1, WAITING);
    const active = atomic.load<u32>(pool, ACTIVE);
    if (active > 0) atomic.wait<u32>(pool + ACTIVE, active, WAIT_NANOSECONDS);
    atomic.store<u32>(pool, 0, WAITING);
  }
}

/** A worker's life: takes chunks of every job as thread `index`, until stopThreads(). Spins for a while, then sleeps. */
export function workLoop(index: i32): void {
  if (!THREADS || index < 1 || index >= threadCount()) return; // the others have no scratch
  const pool = poolAddress();
  let seen: u32 = 0;
  for (;;) {
    seen = awaitJob(seen);
    if (atomic.load<u32>(pool, STOP)) return;
    atomic.add<u32>(pool, 1, ACTIVE);
    if (atomic.load<u32>(pool, OPEN)) runChunks(index);
    atomic.sub<u32>(pool, 1, ACTIVE);
    if (atomic.load<u32>(pool, WAITING)) atomic.notify(pool + ACTIVE, 1);
  }
}

/** The generation after `seen`, once there is one. */
function awaitJob(seen: u32): u32 {
  const pool = poolAddress();
  for (let spin = 0; spin < SPINS; spin++) {
    const now = atomic.load<u32>(pool, GENERATION);
    if (now != seen) return now;
  }
  atomic.add<u32>(pool, 1, SLEEPERS);
  while (atomic.load<u32>(pool, GENERATION) == seen) atomic.wait<u32>(pool + GENERATION, seen, -1);
  atomic.sub<u32>(pool, 1, SLEEPERS);
  return atomic.load<u32>(pool, GENERATION);
}

/** Ends every work loop. */
export function endThreads(): void {
  if (!THREADS) return;
  const pool = poolAddress();
  atomic.store<u32>(pool, 1, STOP);
  atomic.add<u32>(pool, 1, GENERATION);
  atomic.notify(pool + GENERATION, MAX_THREADS);
}
