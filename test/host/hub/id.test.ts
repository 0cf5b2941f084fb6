import fc from "fast-check";
import { expect, test } from "vitest";
import { isPath, parseHubId, SHORT_NAMES, showHubId } from "../../../host/core/hub/index";
import { isHubId } from "../../../host/core/hub/names";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const id = (repository: string, revision = "main", file?: string) => ({ repository, revision, file });

test.each([
  ["hf:mii-llm/zagreus-0.4B-ita", id("mii-llm/zagreus-0.4B-ita")],
  ["hf://a/b", id("a/b")],
  ["hf:a/b@v1.0", id("a/b", "v1.0")],
  [`hf:a/b@${COMMIT}/m.gguf`, id("a/b", COMMIT, "m.gguf")],
  ["hf:a/b/folder/m-Q4_0.gguf", id("a/b", "main", "folder/m-Q4_0.gguf")],
  ["hf:a/b@refs/pr/7", id("a/b", "refs/pr/7")],
  ["hf:a/b@refs/pr/7/m.gguf", id("a/b", "refs/pr/7", "m.gguf")],
  ["hf:a/b@feature%2Fx/m.gguf", id("a/b", "feature/x", "m.gguf")],
  ["zagreus-ita", id("mii-llm/zagreus-0.4B-ita")],
  ["hf:nesso-agentic@v2/m.gguf", id("mii-llm/nesso-0.4B-agentic", "v2", "m.gguf")],
])("%s", (text, expected) => {
  expect(parseHubId(text)).toEqual(expected);
  expect(parseHubId(showHubId(expected))).toEqual(expected);
});

test.each([
  ...["", "hf:", "hf:a", "hf:/", "hf:a/", "hf:/b", "a/b", "./model.gguf", "hf:gpt2", "hf:a/b@", "hf:a/b@/f", "hf:a/b/"],
  ...["hf:a/b//c", "hf:a/b/../c", "hf:a/b/c/..", "hf:a/b/./c", "hf:../b", "hf:a/..", "hf:.a/b", "hf:a/b-", "hf:a--b/c"],
  ...["hf:a/b.git", "hf:a/b@..", "hf:a/b@%2e%2e%2fx", "hf:a/b@x%00", "hf:a/b@%zz", "hf:a/b/c\\..\\d", "hf:a/b/C:/d"],
  ...[
    "hf:a/b/\ud800",
    "hf:a/b/c\n",
    "hf:a b/c",
    `hf:a/${"b".repeat(97)}`,
    `hf:a/b/${"c".repeat(2000)}`,
    "zagreus-xyz",
    "toString",
  ],
])("%j is refused", (text) => {
  expect(() => parseHubId(text)).toThrow(expect.objectContaining({ code: "INVALID_OPTION", field: "model" }));
});

test("what load() takes for a model of the hub", () => {
  for (const name of Object.keys(SHORT_NAMES)) expect(isHubId(name)).toBe(true);
  for (const path of ["./zagreus-ita", "zagreus-ita.gguf", "/hf:x", "toString"]) expect(isHubId(path)).toBe(false);
  expect(isHubId("hf:a/b")).toBe(true);
});

const name = fc
  .stringMatching(/^[A-Za-z0-9](?:[A-Za-z0-9_.]{0,10}[A-Za-z0-9])?$/)
  .filter((text) => !/\.\.|\.git$/.test(text));
const path = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" }).filter(isPath);

test("an id that is shown parses to itself", () => {
  const ids = fc.record({
    repository: fc.tuple(name, name).map((parts) => parts.join("/")),
    revision: fc.oneof(
      fc.constant("main"),
      path,
      fc.nat().map((n) => `refs/pr/${n}`),
    ),
    file: fc.option(path, { nil: undefined }),
  });
  fc.assert(
    fc.property(ids, (expected) => {
      expect(parseHubId(showHubId(expected))).toEqual(expected);
    }),
  );
});

test("whatever the text, an id is refused or stays inside the cache", () => {
  const bits = fc.constantFrom(
    "..",
    ".",
    "/",
    "\\",
    "@",
    "a",
    "b.gguf",
    "%2F",
    "%2e",
    "refs/pr/1",
    "C:",
    "\0",
    "\n",
    "zagreus-ita",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(bits).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (text) => {
      let parsed: ReturnType<typeof parseHubId>;
      try {
        parsed = parseHubId(`hf:${text}`);
      } catch (error) {
        expect(error).toMatchObject({ code: "INVALID_OPTION" });
        return;
      }
      const { repository, revision, file } = parsed;
      expect(repository.split("/")).toHaveLength(2);
      for (const part of [repository, revision, file ?? "x"].flatMap((path) => path.split("/"))) {
        expect(["", ".", ".."]).not.toContain(part);
        expect(part).not.toMatch(/[\\\0\n]/);
      }
    }),
    { numRuns: 2000 },
  );
});
