// How far loading is, and what failed of it.

import type { Chat } from "../chat/chat.js";
import { say } from "../text/say.js";
import { ErrorText } from "./parts/error_text.js";
import { nameFor, phaseFor } from "./parts/words.js";

export function LoadStatus({ chat }: { chat: Chat }) {
  const { loading, notice, ready, loadFailure } = chat.state;
  const { loadedBytes = 0, totalBytes } = loading?.progress ?? {};
  const text = loading
    ? phaseFor(loading.progress)
    : notice || (ready ? say("ready", { name: nameFor(ready.name) }) : "");
  return (
    <div class="load-status">
      {loading && (
        <div class="row">
          <progress aria-label={say("load")} max={1} value={totalBytes ? loadedBytes / totalBytes : undefined} />
          <button type="button" class="plain" onClick={() => chat.stopLoading()}>
            {say("stop")}
          </button>
        </div>
      )}
      <p class={loading || notice ? "hint" : "visually-hidden"} id="status" role="status">
        {text}
      </p>
      <ErrorText id="load-error" failure={loadFailure} />
    </div>
  );
}
