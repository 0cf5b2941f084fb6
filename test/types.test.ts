// The declarations that the package ships, as compilers of its users see them: every library is checked.

import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

const DOM = ["es2023", "dom", "dom.asynciterable"];

test.each([
  ["a page, without Node's types", "page.ts", DOM, []],
  ["a service, without the DOM library", "service.ts", ["es2022"], ["node"]],
])("%s", (_, file, libraries, types) => {
  const program = ts.createProgram([fileURLToPath(new URL(`types/${file}`, import.meta.url))], {
    noEmit: true,
    strict: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    lib: libraries.map((name) => `lib.${name}.d.ts`),
    types,
  });
  const read = program.getSourceFiles().map(({ fileName }) => fileName);
  expect(read).toContainEqual(expect.stringMatching(/\/dist\/types\/host\/node\/index\.d\.ts$/));
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    return `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
  expect(problems).toEqual([]);
});
