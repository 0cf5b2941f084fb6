import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { oldNode } from "../../../host/node/files/old_node";
import { CLI } from "../../support/command";

const versions = (node: string | undefined) => ({ node }) as NodeJS.ProcessVersions;

test("a Node that is too old is told so, and nothing else", () => {
  expect(oldNode(versions("18.20.8"))).toBe("needs Node 20 or newer, this is Node 18.20.8");
  for (const node of ["20.0.0", "100.1.0", undefined]) expect(oldNode(versions(node))).toBeUndefined();
});

test("on an old Node the command says one sentence, the library UNSUPPORTED_RUNTIME", () => {
  const pretend = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.8" } });';
  const run = (...args: string[]) => {
    const all = ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`, ...args];
    return spawnSync(process.execPath, all, { encoding: "utf8", timeout: 60_000 });
  };
  const sentence = "needs Node 20 or newer, this is Node 18.20.8\n";
  expect(run(CLI, "--version")).toMatchObject({ status: 1, stdout: "", stderr: `zagreus: ${sentence}` });
  const library = JSON.stringify(new URL("../../../dist/index.js", import.meta.url).href);
  const script = `import { bundledModel, load } from ${library};
    await load(bundledModel).catch(({ code, message }) => console.log(code, message));`;
  const { stdout } = run("--input-type=module", "-e", script);
  expect(stdout).toBe(`UNSUPPORTED_RUNTIME zagreus-edge ${sentence}`);
});
