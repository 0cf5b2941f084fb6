// What each token is made of, when its own text is encoded: the two tokens that merge last, which are made of others in turn.
//
//     " parola"   =   " par"  +  "ola"        " par"   =   " p"  +  "ar"   ...
//
// The pairs of a text merge in the order of their ranks. A pair that reaches beyond what becomes one token never merges, and the others do so in the
// same order whether or not there are neighbours: so a token is made in every text as it is made alone. A vocabulary that has, with
// each of its tokens, the two that it is made of therefore encodes every text that needs no other token just as the whole one does: the merges
// that are missing there were none of that text's.

import { TOKEN_NORMAL } from "../../assembly/layout/gguf.js";
import type { Vocabulary } from "./vocabulary.js";

/** By token id: the tokens that its text becomes before the last merge, or without it where no merges make it (whole words); [] for others. */
export type Derivation = readonly (readonly number[])[];

/** What joins two neighbours; the lowest rank joins first. */
interface Joint {
  rank: number;
  id: number;
}

/** A symbol of a text that is being merged. */
interface Symbol_ {
  /** Of the token that it is; -1 for none. */
  id: number;
  text: string;
}

type Join = (left: Symbol_, right: Symbol_) => Joint | undefined;

/** Takes each normal token apart. */
export function derive(vocabulary: Vocabulary): Derivation {
  const ids = normalIds(vocabulary);
  const join = vocabulary.model === "gpt2" ? byMerges(vocabulary, ids) : byScores(vocabulary, ids);
  return vocabulary.tokens.map((token, id) =>
    vocabulary.types[id] === TOKEN_NORMAL ? partsOf(token, id, ids, join) : [],
  );
}

function normalIds({ tokens, types }: Vocabulary): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  tokens.forEach((token, id) => {
    if (types[id] === TOKEN_NORMAL && !ids.has(token)) ids.set(token, id);
  });
  return ids;
}

function byMerges({ merges, tokens }: Vocabulary, ids: ReadonlyMap<string, number>): Join {
  const joints = new Map<number, Joint>();
  merges.forEach((merge, rank) => {
    const [first, second] = merge.split(" ") as [string, string];
    const [left, right, id] = [ids.get(first), ids.get(second), ids.get(first + second)];
    if (left === undefined || right === undefined || id === undefined) return;
    const pair = left * tokens.length + right;
    if (!joints.has(pair)) joints.set(pair, { rank, id });
  });
  return (left, right) => (left.id < 0 || right.id < 0 ? undefined : joints.get(left.id * tokens.length + right.id));
}

function byScores({ scores }: Vocabulary, ids: ReadonlyMap<string, number>): Join {
  return (left, right) => {
    const id = ids.get(left.text + right.text);
    return id === undefined ? undefined : { rank: -scores[id]!, id };
  };
}

/** The parts of the last merge; the parts that remain, if the token's text does not become the token. */
function partsOf(token: string, id: number, ids: ReadonlyMap<string, number>, join: Join): number[] {
  const symbols: Symbol_[] = Array.from(token, (text) => ({ text, id: ids.get(text) ?? -1 }));
  const joints = symbols.slice(1).map((right, i) => join(symbols[i]!, right));
  let last: number[] = [];
  for (let at = best(joints); at >= 0; at = best(joints)) {
    const [left, right] = [symbols[at]!, symbols[at + 1]!];
    last = [left.id, right.id];
    symbols.splice(at, 2, { text: left.text + right.text, id: joints[at]!.id });
    joints.splice(at, 1);
    if (at > 0) joints[at - 1] = join(symbols[at - 1]!, symbols[at]!);
    if (at < joints.length) joints[at] = join(symbols[at]!, symbols[at + 1]!);
  }
  const parts = symbols.length === 1 && symbols[0]!.id === id ? last : symbols.map((symbol) => symbol.id);
  return parts.filter((part) => part >= 0 && part !== id);
}

/** Index of the joint with the lowest rank, the first of several; -1 for none. */
function best(joints: readonly (Joint | undefined)[]): number {
  let found = -1;
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < joints.length; i++) {
    const joint = joints[i];
    if (joint === undefined || joint.rank >= lowest) continue;
    lowest = joint.rank;
    found = i;
  }
  return found;
}
