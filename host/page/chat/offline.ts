// The service worker, which keeps the page: when it may come in, and when another version of the page is there.

import type { Chat } from "./chat.js";
import { keep, kept, ofTab } from "./kept.js";

/** Does nothing where there are no service workers, as on pages that are not secure. */
export async function goOffline(chat: Chat): Promise<void> {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const hadOne = serviceWorker.controller !== null;
  serviceWorker.addEventListener("controllerchange", () => {
    if (hadOne)
      location.reload(); // somebody has asked for the other version
    else isolate(chat);
  });
  try {
    const registration = await serviceWorker.register("service_worker.js");
    if (hadOne) isolate(chat);
    tellOfUpdates(registration, chat);
  } catch {} // the page is what it is without
}

function tellOfUpdates(registration: ServiceWorkerRegistration, chat: Chat): void {
  const look = () => {
    const { waiting, active } = registration;
    if (waiting && active) chat.set({ update: () => waiting.postMessage("take over") });
  };
  look();
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", look));
}

/** The worker's headers give the page threads: once it has them from there. Once only, and nothing that somebody has begun gets lost. */
function isolate({ state: { ready, loading } }: Chat): void {
  const begun = ready || loading || document.querySelector("dialog[open]") || document.querySelector("textarea")?.value;
  if (crossOriginIsolated || begun || kept("isolated", ofTab)) return;
  keep("isolated", true, ofTab);
  location.reload();
}
