// Ids of models on the hub, and which names may become paths of the cache.

import { invalidOption } from "../api/errors.js";
import { SHORT_NAMES } from "./names.js";

export interface HubId {
  /** "owner/repo" */
  repository: string;
  /** A branch, tag, "refs/pr/7" or commit. */
  revision: string;
  /** A path in the repository. */
  file: string | undefined;
}

const DEFAULT_REVISION = "main";
const MAX_LENGTH = 1024;
const MAX_NAME = 96;
const FORM = "hf:OWNER/REPO[@REVISION][/FILE] or a short name";

/** The folder of "owner/repo" in a cache. */
export const repositoryFolder = (repository: string): string => `models--${repository.replace("/", "--")}`;

/**
 * Parses hf:OWNER/REPO[@REVISION][/FILE], hf:SHORT[@REVISION][/FILE] or a short name; "hf://" is as good as "hf:".
 * A slash in a revision is written %2F, except in refs/pr/N and refs/convert/NAME, as in the hub's own URIs
 * (https://huggingface.co/docs/huggingface_hub/package_reference/hf_uris).
 * @throws ZagreusError INVALID_OPTION
 */
export function parseHubId(text: string): HubId {
  const refuse = (what: string) => invalidOption("model", text, `${FORM}: ${what}`);
  if (text.length > MAX_LENGTH) throw refuse(`it has ${text.length} characters, at most ${MAX_LENGTH} make sense`);
  let body = text.startsWith("hf:") ? text.slice(text.startsWith("hf://") ? 5 : 3) : text;
  const short = /^[^/@]*/.exec(body)![0];
  if (Object.hasOwn(SHORT_NAMES, short)) body = SHORT_NAMES[short] + body.slice(short.length);
  else if (!text.startsWith("hf:")) throw refuse(`it starts with neither hf: nor a short name${didYouMean(short)}`);

  const match = /^([^/@]+\/[^/@]+)(?:@(refs\/(?:pr|convert)\/[^/]+|[^/]*))?(?:\/(.*))?$/s.exec(body);
  if (!match) throw refuse(`an owner and a repository are needed${didYouMean(short)}`);
  const [, repository = "", written, file] = match;
  if (!isRepository(repository)) throw refuse(`"${repository}" cannot be a repository`);
  const revision = written === undefined ? DEFAULT_REVISION : decode(written);
  if (revision === undefined || !isPath(revision)) throw refuse(`"${written}" cannot be a revision`);
  if (file !== undefined && !isPath(file)) throw refuse(`"${file}" cannot be a file in a repository`);
  return { repository, revision, file };
}

/** The short name that a misspelt one may mean. */
export function suggestName(text: string): string | undefined {
  const distances = Object.keys(SHORT_NAMES).map((name) => ({ name, edits: edits(text.toLowerCase(), name) }));
  const [nearest] = distances.sort((a, b) => a.edits - b.edits);
  return nearest && nearest.edits <= nearest.name.length / 3 ? nearest.name : undefined;
}

function didYouMean(text: string): string {
  const name = suggestName(text);
  return name === undefined ? "" : `; did you mean ${name}?`;
}

/** Levenshtein's distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const last = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
  }
  return row[b.length]!;
}

/** The id as text, in its shortest form. */
export function showHubId({ repository, revision, file }: HubId): string {
  const special = /^refs\/(pr|convert)\/[^/]+$/.test(revision);
  const at = revision === DEFAULT_REVISION ? "" : `@${special ? revision : encodeURIComponent(revision)}`;
  return `hf:${repository}${at}${file === undefined ? "" : `/${file}`}`;
}

/** A git commit, in full. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether a path stays inside the folder that it is relative to, on every system. */
export function isPath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (path.length > MAX_LENGTH || /[\\\x00-\x1f\x7f\p{Surrogate}]|^[A-Za-z]:/u.test(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** The hub's own rule. */
function isRepository(id: string): boolean {
  return (
    id.split("/").every((part) => part.length <= MAX_NAME && /^\w(?:[\w.-]*\w)?$/.test(part)) &&
    !/--|\.\./.test(id) &&
    !id.endsWith(".git")
  );
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
