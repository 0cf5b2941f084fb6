// POST /conversations/NAME continues a text, and answers with what the model adds to it, as it comes (server-sent events).

import { type Conversation, MAX_PROMPT } from "./conversation";
import type { Weights } from "./model";

export { Conversation } from "./conversation";

type Env = Weights & { CONVERSATIONS: DurableObjectNamespace<Conversation> };

export default {
  async fetch(request, { CONVERSATIONS }) {
    const [, name] = /^\/conversations\/([\w-]{1,64})$/.exec(new URL(request.url).pathname) ?? [];
    if (!name) return new Response("POST /conversations/NAME\n", { status: 404 });
    if (request.method !== "POST") return new Response("POST a text\n", { status: 405, headers: { allow: "POST" } });
    const prompt = await request.text();
    if (prompt.length > MAX_PROMPT) return new Response(`At most ${MAX_PROMPT} characters\n`, { status: 413 });
    return CONVERSATIONS.getByName(name).reply(prompt);
  },
} satisfies ExportedHandler<Env>;
