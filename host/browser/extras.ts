// What few pages want, and is loaded then; in one chunk, so that the rest falls apart into few.

export { bringAssets } from "./assets.js";
export { cachedModels, cacheModel, distrustCachedModel, removeCachedModel } from "./cache.js";
export { hubFile } from "./hub_client.js";
