// Objects: properties that are spoken of come in the order of the schema, others behind them.

import { filterInSteps, type Steps } from "../../shared/slices.js";
import { badSchema } from "../read/errors.js";
import type { Cell } from "../read/node.js";
import { escaped } from "../read/references.js";
import type { Context } from "./context.js";
import { choice, literal, repeat } from "./gbnf_text.js";
import { differentMembers, listedNames, otherMember } from "./other_members.js";
import { COMMA, SPACE } from "./rules.js";

interface Member {
  grammar: string;
  required: boolean;
}

/** Properties that none is declared of. */
interface Others {
  any: string | undefined;
  /** Some whose names are sure to be different. */
  different: readonly string[];
}

/** Combinations of a property and how many came before it. */
const MAX_COUNTED = 20_000;

/** Undefined when there is no such object. */
export function* objectGrammar(cell: Cell, path: string, context: Context): Steps<string | undefined> {
  const declared = yield* declaredMembers(cell, path, context);
  if (!declared) return undefined;
  const { minProperties: min = 0, maxProperties: max = Number.POSITIVE_INFINITY } = cell;
  const other = yield* otherMember(cell, min > declared.length, path, context);
  const forced = Math.max(min - declared.filter(({ required }) => required).length, 0);
  const different = other && forced > 1 ? yield* differentMembers(cell, forced, path, context) : [];
  const members = yield* chain(declared, { any: other, different }, { min, max }, path, context);
  return members && `"{" ${members} "}"`;
}

/** Undefined when one that is required cannot be. */
function* declaredMembers(cell: Cell, path: string, context: Context): Steps<Member[] | undefined> {
  const required = new Set(cell.required);
  const found: Member[] = [];
  for (const name of yield* memberNames(cell, context)) {
    yield* context.rest.after(1);
    const where = `${path}/properties/${escaped(name)}`;
    const grammar = yield* context.write(yield* context.validity.propertyNodes(cell, name), where);
    if (grammar !== undefined) {
      const member = `${literal(`${JSON.stringify(name)}:`)} ${SPACE} ${grammar}`;
      found.push({ grammar: context.rules.rule(member), required: required.has(name) });
    } else if (required.has(name)) return undefined;
    required.delete(name);
  }
  return required.size > 0 ? undefined : found;
}

/** Names that are spoken of, those that are required, and those that propertyNames lists; without what that does not allow. */
function* memberNames(cell: Cell, context: Context): Steps<string[]> {
  const { properties = [], required = [], propertyNames = [] } = cell;
  const names = [...properties.flatMap(({ name, hidden }) => (hidden ? [] : [name])), ...required];
  const all = new Set([...names, ...((yield* listedNames(cell, context)) ?? [])]);
  return yield* filterInSteps(all, (name) => context.validity.isValid(name, propertyNames));
}

/**
 * Members with commas between them: for each, and how many are there before it, a rule of what follows.
 * @param bounds how many there are in all
 */
function* chain(
  members: readonly Member[],
  other: Others,
  { min, max }: { min: number; max: number },
  path: string,
  { rules, rest }: Context,
): Steps<string | undefined> {
  // Beyond this, how many there are makes no difference.
  const enough = max < Number.POSITIVE_INFINITY ? Math.min(max, members.length + 1) : Math.max(min, 1);
  if (enough * members.length > MAX_COUNTED)
    throw badSchema(path, `counts more than ${MAX_COUNTED} properties`, enough * members.length);
  let behind = Array.from({ length: enough + 1 }, (_, before) => others(other, min - before, max - before, before > 0));
  for (const { grammar, required } of [...members].reverse()) {
    yield* rest.after(behind.length);
    behind = behind.map((_, before) => {
      const next = before === max ? undefined : behind[Math.min(before + 1, enough)];
      const taken = next && `${before > 0 ? `${COMMA} ` : ""}${grammar} ${next}`;
      const way = choice([taken, required ? undefined : behind[before]]);
      return way && (way === '""' ? way : rules.rule(way));
    });
  }
  return behind[0];
}

/** Further members, at least `min` of different names, and at most `max`. */
function others({ any, different }: Others, min: number, max: number, begun: boolean): string | undefined {
  if (min <= 0 && (any === undefined || max <= 0)) return '""';
  if (any === undefined || min > Math.max(different.length, 1)) return undefined;
  const needed = min > 1 ? different.slice(-min) : Array.from({ length: Math.max(min, 0) }, () => any);
  const more = repeat(`${COMMA} ${any}`, 0, max - needed.length);
  if (begun) return [...needed.map((member) => `${COMMA} ${member}`), more].join(" ");
  if (needed.length > 0) return `${needed.join(` ${COMMA} `)} ${more}`;
  return `(${any} ${repeat(`${COMMA} ${any}`, 0, max - 1)})?`;
}
