// What can be set.

import { useState } from "preact/hooks";
import type { Chat } from "../../chat/chat.js";
import { keep, kept, ofTab } from "../../chat/kept.js";
import { defaultOf, RANGES, SAMPLING, type Settings } from "../../chat/settings.js";
import { canSpeak } from "../../speech/aloud.js";
import { say } from "../../text/say.js";
import { Check } from "../parts/check.js";
import { McpServerList } from "./mcp_servers.js";

interface Props {
  chat: Chat;
  settings: Settings;
}

export function SettingsForm({ chat }: { chat: Chat }) {
  const { settings } = chat.state;
  return (
    <>
      <form onSubmit={(event) => event.preventDefault()}>
        <Looks chat={chat} settings={settings} />
        {chat.backend.kind === "server" && <ApiKey chat={chat} />}
        <label>
          {say("system")}
          <textarea
            id="system"
            rows={3}
            placeholder={say("systemHint")}
            value={settings.system}
            onInput={({ currentTarget }) => chat.change({ system: currentTarget.value })}
          />
        </label>
        <Sampling chat={chat} settings={settings} />
        {canSpeak() && <Check chat={chat} name="aloud" checked={settings.aloud} />}
        <Schema chat={chat} settings={settings} />
      </form>
      <fieldset>
        <legend>{say("toolsTitle")}</legend>
        <Check chat={chat} name="tools" checked={settings.tools} />
        <Check chat={chat} name="mustCall" checked={settings.mustCall} />
        <McpServerList chat={chat} />
      </fieldset>
    </>
  );
}

function Looks({ chat, settings: { language, theme } }: Props) {
  return (
    <div class="row">
      <label>
        {say("language")}
        <select
          id="language"
          value={language}
          onChange={({ currentTarget }) => chat.change({ language: currentTarget.value as Settings["language"] })}
        >
          <option value="it" lang="it">
            Italiano
          </option>
          <option value="en" lang="en">
            English
          </option>
        </select>
      </label>
      <label>
        {say("theme")}
        <select
          id="theme"
          value={theme}
          onChange={({ currentTarget }) => chat.change({ theme: currentTarget.value as Settings["theme"] })}
        >
          <option value="system">{say("themeSystem")}</option>
          <option value="light">{say("themeLight")}</option>
          <option value="dark">{say("themeDark")}</option>
        </select>
      </label>
    </div>
  );
}

/** It is kept as long as the tab is open. */
function ApiKey({ chat }: { chat: Chat }) {
  const [key, setKey] = useState(String(kept("key", ofTab) ?? ""));
  const onInput = ({ currentTarget: { value } }: { currentTarget: HTMLInputElement }) => {
    setKey(value);
    keep("key", value || undefined, ofTab);
  };
  return (
    <label>
      {say("apiKey")}
      <input
        id="key"
        type="password"
        autocomplete="off"
        value={key}
        onInput={onInput}
        onChange={() => void chat.begin()}
      />
    </label>
  );
}

function Sampling({ chat, settings: { sampling } }: Props) {
  const defaults = chat.backend.defaults();
  /** Of what is set now: what is shown may be a frame behind. */
  const set = (name: string, value: string) =>
    chat.change({ sampling: { ...chat.state.settings.sampling, [name]: value } });
  return (
    <fieldset>
      <legend>{say("sampling")}</legend>
      <p class="hint">{say("samplingHint")}</p>
      <div class="grid">
        {SAMPLING.map((name) => (
          <label key={name}>
            {say(name)}
            <input
              id={name}
              type="number"
              inputMode="decimal"
              {...RANGES[name]}
              placeholder={defaultOf(defaults, name)}
              value={sampling[name]}
              onInput={({ currentTarget: { value } }) => set(name, value)}
            />
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function Schema({ chat, settings: { schema, schemaText } }: Props) {
  return (
    <>
      <Check chat={chat} name="schema" checked={schema} />
      {schema && (
        <label>
          {say("schemaText")}
          <textarea
            id="schemaText"
            rows={8}
            spellcheck={false}
            value={schemaText}
            onInput={({ currentTarget }) => chat.change({ schemaText: currentTarget.value })}
          />
          <span class="error" role="alert">
            {problemOf(schemaText)}
          </span>
        </label>
      )}
    </>
  );
}

function problemOf(schema: string): string {
  try {
    JSON.parse(schema);
    return "";
  } catch (error) {
    return say("badSchema", { message: (error as Error).message });
  }
}
