// The makers' tool suite: recorded answers get the marks that the makers' own grader gave them. Their data are no part of the project.

import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { marks, readAnswers } from "../../../host/node/eval/suite/answers";
import { readSuite } from "../../../host/node/eval/suite/cases";

/** Beside the checkout, or beside the folder of a worktree. */
const PLACES = ["../../../../", "../../../../../"].map((up) => new URL(`${up}shared/suites/nesso2/`, import.meta.url));
const folder = PLACES.find((place) => existsSync(place));
if (!folder) console.log("not run: ../shared/suites/nesso2, the makers' data, is not there");

test.runIf(folder)("1,000 recorded answers have the marks of the makers' grader", () => {
  const read = (name: string) => readFileSync(new URL(name, folder));
  const suite = readSuite("suite", read("agentic_eval_cases_100.json"));
  if (suite.kind !== "tools") throw new Error(suite.kind);
  const answers = readAnswers("answers", read("answers-1.jsonl").toString(), suite.suite);
  const { variants } = JSON.parse(read("grades-1.json").toString());
  expect([...answers.keys()]).toEqual(Object.keys(variants));
  for (const [variant, given] of answers) {
    expect(given.size).toBe(100);
    expect(JSON.parse(JSON.stringify(marks(suite.suite, given))), variant).toEqual(variants[variant]);
  }
});
