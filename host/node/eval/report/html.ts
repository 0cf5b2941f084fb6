// Scores as a page with a bar for each: one file without scripts.

import { printable } from "../../../core/api/printable.js";
import { differences, type Scores, shown, signed } from "./scores.js";

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: 0.2rem 0.6rem; border-bottom: 1px solid #ddd; white-space: nowrap }
td.bar { width: 60%; position: relative }
.bar span { display: block; height: 0.8rem; background: #2a6fb0 }
.bar .before { height: 0.3rem; background: #bbb }
.better { color: #17692f } .worse { color: #a3241b }
`;

/** @param notes lines below the heading: model, time */
export function page(title: string, notes: readonly string[], scores: Scores, before?: Scores): string {
  const changes = before ? differences(scores, before) : [];
  const sections = scores.rows.map((row) => {
    const change = changes.find(({ name }) => name === row.name);
    const lines = scores.columns.map((column, i) => {
      const value = row.values[i];
      const was = change?.before.values[i];
      const most = column.of === undefined ? "" : ` of ${column.of}`;
      const bars = bar(value, column.of) + (change ? bar(was, column.of, "before") : "");
      const difference = change
        ? `<td class="${verdict(change.values[i], column.less)}">${signed(change.values[i], column)}</td>`
        : "";
      return `<tr><th>${escaped(column.name)}</th><td>${shown(value, column)}${most}</td>${difference}<td class="bar">${bars}</td></tr>`;
    });
    return `<h2>${escaped(row.name)}</h2>\n<table>\n${lines.join("\n")}\n</table>`;
  });
  const paragraphs = [...notes, ...(before ? ["Grey bars and differences: the result before."] : [])];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<h1>${escaped(title)}</h1>
${paragraphs.map((note) => `<p>${escaped(note)}</p>`).join("\n")}
${sections.join("\n")}
</html>
`;
}

function bar(value: number | undefined, of = 1, kind = ""): string {
  const share = Math.min(Math.max((value ?? 0) / Math.max(of, 1), 0), 1);
  return `<span class="${kind}" style="width: ${(share * 100).toFixed(1)}%"></span>`;
}

function verdict(difference = 0, less = false): string {
  if (difference === 0) return "";
  return difference > 0 === !less ? "better" : "worse";
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string) => printable(text).replace(/[&<>"]/g, (character) => ENTITIES[character]!);
