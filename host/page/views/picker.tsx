// Which model: those that are here, those that can be had, an address, a file.

import { useState } from "preact/hooks";
import type { Chat } from "../chat/chat.js";
import type { Choice } from "../model/backend.js";
import { megabytes, number, say } from "../text/say.js";
import { ErrorText } from "./parts/error_text.js";
import { IconButton } from "./parts/icons.js";
import { nameFor, phaseFor } from "./parts/words.js";

type Pick = (source: string | File, name: string) => Promise<void>;

export function Picker({ chat, onPick }: { chat: Chat; onPick: Pick }) {
  const { choices = [], ready, loading, loadFailure, notice } = chat.state;
  const kept = choices.filter((choice) => choice.kept);
  const others = choices.filter((choice) => !choice.kept);
  const served = chat.backend.kind === "server";
  return (
    <>
      {ready?.info && <Facts chat={chat} />}
      {loading && <p class="hint">{phaseFor(loading.progress)}</p>}
      {notice && <p class="hint">{notice}</p>}
      <ErrorText failure={loadFailure} />
      {kept.length > 0 && <Choices chat={chat} onPick={onPick} title={say("inBrowser")} choices={kept} />}
      <Choices chat={chat} onPick={onPick} title={served ? say("onServer") : undefined} choices={others} />
      {!served && <Another onPick={onPick} />}
    </>
  );
}

interface ChoicesProps {
  chat: Chat;
  onPick: Pick;
  title: string | undefined;
  choices: readonly Choice[];
}

function Choices({ chat, onPick, title, choices }: ChoicesProps) {
  const { ready } = chat.state;
  return (
    <section>
      {title && <h3>{title}</h3>}
      <ul class="choices">
        {choices.map((choice) => (
          <li key={choice.id}>
            <button
              type="button"
              class="choice"
              aria-current={choice.id === ready?.id}
              onClick={() => void onPick(choice.id, choice.name)}
            >
              <bdi>{nameFor(choice.name)}</bdi> <small>{choice.note}</small>
            </button>
            {choice.kept && (
              <IconButton
                icon="bin"
                label={say("remove", { name: nameFor(choice.name) })}
                onClick={() => void chat.remove(choice)}
              />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Another({ onPick }: { onPick: Pick }) {
  const [source, setSource] = useState("");
  const onSubmit = (event: Event) => {
    event.preventDefault();
    const wanted = source.trim();
    if (wanted) void onPick(wanted, wanted);
  };
  const onFile = ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
    const file = currentTarget.files?.[0];
    if (file) void onPick(file, file.name);
  };
  return (
    <section>
      <h3>{say("more")}</h3>
      <form onSubmit={onSubmit}>
        <label for="source">{say("source")}</label>
        <div class="row">
          <input
            id="source"
            type="text"
            inputMode="url"
            autocomplete="off"
            spellcheck={false}
            value={source}
            onInput={({ currentTarget }) => setSource(currentTarget.value)}
          />
          <button type="submit" class="primary">
            {say("load")}
          </button>
        </div>
      </form>
      <label class="drop">
        {say("drop")}
        <input id="file" type="file" accept=".gguf" onChange={onFile} />
      </label>
    </section>
  );
}

function Facts({ chat }: { chat: Chat }) {
  const { name, info } = chat.state.ready!;
  const { quantization, parameters, contextLength, build, threads, plan } = info!;
  const values = {
    quantization,
    parameters: megabytes(parameters),
    context: number(contextLength),
    build,
    threads,
    memory: megabytes(plan.memory),
  };
  return (
    <p id="facts">
      <strong>{nameFor(name)}</strong>: {say("facts", values)}
    </p>
  );
}
