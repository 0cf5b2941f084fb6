// Models of the Hugging Face hub, in the hub's own cache: https://huggingface.co/docs/hub/local-cache

export { PREFERENCE } from "./choose.js";
export { listCached, removeCached, type StoredModel } from "./disk.js";
export { type HubId, isCommit, isPath, parseHubId, showHubId, suggestName } from "./id.js";
export { type GgufMaker, type MadeFrom, megabytes, millions } from "./made.js";
export type { HubOptions, HubProgress, PulledFile, QuantizeSettings } from "./model.js";
export { isHubId, SHORT_NAMES } from "./names.js";
export type { HubFiles, HubPlatform, HubSettings, PartialFile } from "./platform.js";
export { type HubListing, listModel, type Pulled, pullAdapter, pullCheckpoint, pullGguf, pullModel } from "./pull.js";
export { hubPaths, hubSettings } from "./settings.js";
