// The MCP servers: what each is good for, which of its tools the model is offered, and another one.

import { useState } from "preact/hooks";
import { printable } from "../../../core/api/printable.js";
import type { Chat } from "../../chat/chat.js";
import { parseHeaders } from "../../chat/headers.js";
import type { ServerState } from "../../mcp/servers.js";
import { say } from "../../text/say.js";
import { ErrorText } from "../parts/error_text.js";
import { IconButton } from "../parts/icons.js";
import { nameFor } from "../parts/words.js";

export function McpServerList({ chat }: { chat: Chat }) {
  return (
    <section id="servers">
      <h3>{say("mcp")}</h3>
      {chat.state.servers.map((server) => (
        <Server key={server.url} chat={chat} server={server} />
      ))}
      <Another chat={chat} />
    </section>
  );
}

function Server({ chat, server: { url, status, error, tools, unusable } }: { chat: Chat; server: ServerState }) {
  const name = nameFor(url);
  return (
    <article class="server">
      <div class="row">
        <strong>
          <bdi>{name}</bdi>
        </strong>
        <IconButton icon="regenerate" label={say("reconnect", { name })} onClick={() => chat.connect(url)} />
        {!chat.isOwn(url) && (
          <IconButton icon="bin" label={say("remove", { name })} onClick={() => chat.disconnect(url)} />
        )}
      </div>
      <p class="hint" role="status">
        {status === "connecting" && say("connecting")}
        {status === "ready" && say("toolCount", { count: tools.length })}
      </p>
      <ErrorText failure={error === undefined ? undefined : { code: "MCP_FAILED", message: error }} />
      {tools.map((tool) => (
        <label key={tool.name} class="check">
          <input
            type="checkbox"
            checked={chat.isOn(url, tool.name)}
            onChange={({ currentTarget }) => chat.switchTool(url, tool.name, currentTarget.checked)}
          />
          <span>
            {nameFor(tool.name)} <small>{printable(tool.description ?? "")}</small>
          </span>
        </label>
      ))}
      {unusable.map(({ name, reason }) => (
        <p key={name} class="error">
          {say("leftOut", { name: nameFor(name), reason: printable(reason) })}
        </p>
      ))}
    </article>
  );
}

function Another({ chat }: { chat: Chat }) {
  const [url, setUrl] = useState("");
  const [headers, setHeaders] = useState("");
  const [problem, setProblem] = useState("");
  const onSubmit = (event: Event) => {
    event.preventDefault();
    const address = url.trim();
    if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return setProblem(say("noUrl", { text: address }));
    try {
      chat.connect(new URL(address).href, parseHeaders(headers));
    } catch (error) {
      return setProblem(say("noHeader", { text: (error as Error).message }));
    }
    setUrl("");
    setHeaders("");
    return setProblem("");
  };
  return (
    <form onSubmit={onSubmit}>
      <label>
        {say("mcpUrl")}
        <input
          id="mcp-url"
          type="text"
          inputMode="url"
          autocomplete="off"
          spellcheck={false}
          placeholder="http://localhost:3001/mcp"
          value={url}
          onInput={({ currentTarget }) => setUrl(currentTarget.value)}
        />
      </label>
      <label>
        {say("mcpHeaders")}
        <textarea
          id="mcp-headers"
          rows={1}
          spellcheck={false}
          placeholder="Authorization: Bearer …"
          value={headers}
          onInput={({ currentTarget }) => setHeaders(currentTarget.value)}
        />
      </label>
      <p class="error" role="alert">
        {problem}
      </p>
      <button type="submit">{say("connect")}</button>
    </form>
  );
}
