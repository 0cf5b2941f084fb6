// The bytes of a URL, in one stream however often the connection breaks.

import { ZagreusError } from "../api/errors.js";
import { checkSignal } from "../engine/pace.js";
import { type ByteSource, byteSource, readSource, unlessAborted } from "./source.js";

/** Attempts without a new byte. */
const MAX_FAILURES = 5;
const DELAY_MS = 500;
const VERSION = "version";

export interface DownloadOptions {
  signal: AbortSignal | undefined;
  /** Before the second attempt; every further one takes twice as long. */
  delayMs?: number | undefined;
}

type Request = (headers: Record<string, string>) => Promise<Response>;

/** What the first answer says of the file. */
interface RemoteFile {
  url: string;
  bytes: number;
  /** Its ETag or date, if the server tells. */
  version: string | undefined;
}

/**
 * Opens a URL. Where its length is known a download that breaks off goes on, from any server: one that knows ranges, one that sends all
 * again, and one that sends the rest without saying so.
 * @param request asks for the URL; rejects where there is no answer
 * @throws ZagreusError SOURCE_FAILED for an answer that is an error; what `request` throws; while it is read SOURCE_FAILED when the
 * download does not get further or the file has changed
 */
export async function openDownload(url: string, request: Request, options: DownloadOptions): Promise<ByteSource> {
  const response = await request({});
  const source = byteSource(response);
  if (source.size === undefined) return source;
  const file = { url, bytes: source.size, version: versionOf(response) };
  return { size: file.bytes, chunks: download(file, source, request, options) };
}

async function* download(
  file: RemoteFile,
  first: ByteSource,
  request: Request,
  { signal, delayMs = DELAY_MS }: DownloadOptions,
): AsyncGenerator<Uint8Array> {
  let opened: [ByteSource, number] | undefined = [first, 0];
  let at = 0;
  for (let failures = 0; at < file.bytes; ) {
    try {
      let [source, skip] = opened ?? (await resumeAt(file, at, request));
      opened = undefined;
      for await (const chunk of readSource(source, signal)) {
        const skipped = Math.min(skip, chunk.length);
        skip -= skipped;
        const data = chunk.subarray(skipped, skipped + file.bytes - at);
        if (data.length > 0) failures = 0;
        at += data.length;
        yield data;
        if (at === file.bytes) return;
      }
      throw failed(file, "source", `ended after ${at} of ${file.bytes} bytes`);
    } catch (error) {
      checkSignal(signal);
      failures++;
      if (failures === MAX_FAILURES || (error as Partial<ZagreusError>).field === VERSION) throw error;
      await pause(delayMs * 2 ** (failures - 1), signal);
    }
  }
}

/**
 * Asks for what follows `at` bytes.
 * @returns an answer, and how many of its bytes are here already
 * @throws ZagreusError SOURCE_FAILED for an error, and about VERSION where the server has another file by now
 */
async function resumeAt(file: RemoteFile, at: number, request: Request): Promise<[ByteSource, number]> {
  const isStrong = file.version?.startsWith('"');
  const response = await request({ range: `bytes=${at}-`, ...(isStrong && { "if-range": file.version }) });
  const skip = overlap(response, file.bytes, at);
  if (!response.ok || (versionOf(response) === file.version && skip !== undefined))
    return [byteSource(response), skip ?? 0];
  await response.body?.cancel();
  throw failed(file, VERSION, `broke off after ${at} bytes, and the server has another file now`);
}

/** How many bytes of an answer come before byte `at` of the file; undefined if it does not go on there. */
function overlap({ status, headers }: Response, bytes: number, at: number): number | undefined {
  if (headers.has("content-encoding")) return undefined;
  const length = headers.get("content-length");
  if (status !== 206)
    return length === String(bytes - at) ? 0 : length === null || length === String(bytes) ? at : undefined;
  const start = /^bytes (\d+)-/.exec(headers.get("content-range") ?? "")?.[1];
  return start === undefined || Number(start) > at ? undefined : at - Number(start);
}

function versionOf({ headers }: Response): string | undefined {
  return headers.get("etag") ?? headers.get("last-modified") ?? undefined;
}

function failed({ url, bytes }: RemoteFile, field: string, what: string): ZagreusError {
  const message = `the download of "${url}" ${what}`;
  return new ZagreusError("SOURCE_FAILED", message, { field, value: url, expected: bytes });
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await unlessAborted(new Promise((resolve) => (timer = setTimeout(resolve, ms))), signal);
  } finally {
    clearTimeout(timer);
  }
}
