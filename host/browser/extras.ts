// What few pages want, and is loaded then; in one chunk, so that the rest falls apart into few.

export { bringAssets } from "./assets.js";
export { cacheModel, distrustCachedModel } from "./files/url_cache.js";
export { hubFile } from "./hub_client.js";
