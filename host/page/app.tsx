// The page: puts the application together. `data-backend` of the document says what answers.

import { render } from "preact";
import { Chat } from "./chat/chat.js";
import { kept, ofTab } from "./chat/kept.js";
import { goOffline } from "./chat/offline.js";
import type { Backend } from "./model/backend.js";
import { InPage } from "./model/in_page.js";
import { Server } from "./model/server.js";
import { App } from "./views/app.js";

const isServed = document.documentElement.dataset.backend === "server";
const backend: Backend = isServed ? new Server(() => String(kept("key", ofTab) ?? "")) : new InPage();
const chat = new Chat(backend);

render(<App chat={chat} />, document.body);
void chat.begin();
if (!isServed) void goOffline(chat);

addEventListener("pagehide", () => chat.keep());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) chat.keep();
});

/** Keyboards on screens cover a page of iOS without making it smaller. */
const { visualViewport } = window;
visualViewport?.addEventListener("resize", () => {
  document.documentElement.style.setProperty("--height", `${visualViewport.height}px`);
});
