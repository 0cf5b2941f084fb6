// Chat templates: pieces of the recorded fragments, put together at random.

import { setImmediate as turn } from "node:timers/promises";
import { fromJson, Refusal, Runtime, render, TemplateError, type Value } from "../../host/core/chat/jinja/index.js";
import { Pace } from "../../host/core/engine/pace.js";
import { finishInSlices } from "../../host/core/grammar/index.js";
import fragments from "../fixtures/chat/fragments.json";

/** The most that a run may take by its units of work, on a busy machine. */
export const maxMilliseconds = 10_000;

const SOURCES = fragments.cases.map(([source]) => source as string);
const PIECES = SOURCES.flatMap((source) => source.match(/\{[{%#][-+]?|[-+]?[}%#]\}|\w+|\s+|[^\w\s]/g) ?? []);
const GROWTH = [
  "{% set x = [x, x] %}",
  "{% set x = x ~ x %}",
  "{% set x = {'a': x, 'b': x} %}",
  "{% set x = x | list %}",
  "{% set x = [x] * 50 %}",
  "{% for i in range(50) %}",
  "{% endfor %}",
  "{{ x | tojson }}",
  "{{ x | sort }}",
];

/** @throws Error for anything but a text or a reason */
export async function run(random: () => number, watch: (work: () => Promise<void>) => Promise<void>): Promise<void> {
  const source = program(random);
  const runtime = new Runtime();
  const values = Object.entries({ ...fragments.variables, x: ["x"] });
  const variables = new Map(values.map(([name, value]): [string, Value] => [name, fromJson(value, runtime)]));
  try {
    await watch(async () => {
      const pace = new Pace(turn, () => {});
      await finishInSlices(render(source, variables, runtime), () => pace.yield());
    });
  } catch (error) {
    if (!(error instanceof TemplateError || error instanceof Refusal)) throw new Error(source, { cause: error });
  }
}

function program(random: () => number): string {
  const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)]!;
  const some = (most: number) => Array.from({ length: 1 + Math.floor(random() * most) });
  const kind = random();
  if (kind < 0.3)
    return some(30)
      .map(() => pick(PIECES))
      .join("");
  if (kind < 0.5)
    return some(40)
      .map(() => pick(GROWTH))
      .join("");
  const whole = some(4)
    .map(() => pick(random() < 0.2 ? GROWTH : SOURCES))
    .join("");
  const pieces = whole.split(/(\s+|\b|(?=[{}%]))/);
  for (const _ of some(4)) pieces[Math.floor(random() * pieces.length)] = random() < 0.5 ? pick(PIECES) : pick(pieces);
  return pieces.join("");
}
