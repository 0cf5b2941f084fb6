// Which rows go into the next pass. Pure: who waits, and what they got before, decide.

import { LOGIT_ROWS, MAX_BATCH } from "../../../../assembly/layout/abi.js";

/** Rows that the kernels' tiles make good use of: prompts run in multiples of it. */
export const ROWS = 8;

/** Somebody who wants rows. */
export interface Waiting {
  client: string;
  /** Order of arrival: the smaller, the older. */
  age: number;
  /** Rows that are wanted in all. */
  rows: number;
}

export interface Limits {
  /** Rows of prompts in a pass at most. */
  prompt: number;
  /** Of these, while somebody else waits for every next token. */
  crowded: number;
}

export interface Share<W extends Waiting> {
  waiting: W;
  rows: number;
}

/** Whether these few rows go at once: those of a text that is being written, or the end of a prompt. */
export function isShort({ rows }: Waiting): boolean {
  return rows <= LOGIT_ROWS;
}

/**
 * First the short ones, all that there is room for; then prompts, by the clients that have got least so far. Of one client's the oldest gets
 * half and the one that lacks least the rest: so a long prompt delays a short one by few passes, and equal ones end one after the other.
 * @param served rows that each client has got
 */
export function planPass<W extends Waiting>(
  all: readonly W[],
  served: (client: string) => number,
  { prompt, crowded }: Limits,
): Share<W>[] {
  const order = [...all].sort((a, b) => served(a.client) - served(b.client) || a.age - b.age);
  const plan: Share<W>[] = [];
  let room = MAX_BATCH;
  for (const waiting of order.filter(isShort)) {
    if (waiting.rows > room) break;
    plan.push({ waiting, rows: waiting.rows });
    room -= waiting.rows;
  }
  const prompts = order.filter((waiting) => !isShort(waiting));
  let left = Math.min(room, plan.length > 0 ? crowded : prompt);
  for (const client of new Set(prompts.map(({ client }) => client))) {
    if (left < ROWS) break;
    const own = prompts.filter((waiting) => waiting.client === client);
    for (const share of shareOut(own, left)) {
      plan.push(share);
      left -= share.rows;
    }
  }
  return plan;
}

/** Rows of one client's prompts, of which there is room for `room`. */
function shareOut<W extends Waiting>(prompts: readonly W[], room: number): Share<W>[] {
  const oldest = prompts.reduce((a, b) => (b.age < a.age ? b : a));
  const shortest = prompts.reduce((a, b) => (b.rows < a.rows || (b.rows === a.rows && b.age < a.age) ? b : a));
  if (shortest === oldest) return [share(oldest, room)].flat();
  const half = share(oldest, Math.min(roundUp(room / 2), room));
  return [...half, ...share(shortest, room - (half[0]?.rows ?? 0))];
}

/** As many rows as there is room for, in whole tiles unless they are the last. */
function share<W extends Waiting>(waiting: W, room: number): Share<W>[] {
  const rows = waiting.rows <= room ? waiting.rows : room >= ROWS ? room - (room % ROWS) : room;
  return rows > 0 ? [{ waiting, rows }] : [];
}

function roundUp(rows: number): number {
  return Math.ceil(rows / ROWS) * ROWS;
}
