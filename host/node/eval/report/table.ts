// Scores as lines of text.

import { differences, type Scores, shown, signed } from "./scores.js";

/** Columns side by side; with `before`, what it had and the difference under each row. */
export function table(scores: Scores, before?: Scores): string[] {
  const { columns } = scores;
  const head = ["", ...columns.map(({ name, of }) => (of === undefined ? name : `${name}/${of}`))];
  const changes = before ? differences(scores, before) : [];
  const lines = scores.rows.flatMap((row) => {
    const change = changes.find(({ name }) => name === row.name);
    const line = (name: string, values: readonly string[]) => [name, ...values];
    const own = line(
      row.name,
      columns.map((column, i) => shown(row.values[i], column)),
    );
    if (!change) return [own];
    return [
      own,
      line(
        "  before",
        columns.map((column, i) => shown(change.before.values[i], column)),
      ),
      line(
        "  difference",
        columns.map((column, i) => signed(change.values[i], column)),
      ),
    ];
  });
  const all = [head, ...lines];
  const widths = head.map((_, i) => Math.max(...all.map((cells) => cells[i]!.length)));
  return all.map((cells) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
}
