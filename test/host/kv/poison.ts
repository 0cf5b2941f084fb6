// Pages of the KV cache, full of what would show in whatever is computed from them, for whoever gets one. Importing it is enough.

import { INFO_PAGE_PARTS } from "../../../assembly/layout/abi";
import { KvCache } from "../../../host/core/kv/kv_cache";

const { acquire } = KvCache.prototype;
KvCache.prototype.acquire = function () {
  const page = acquire.call(this);
  if (page === undefined) return undefined;
  const { exports } = this.core;
  for (let part = 0; part < exports.info(INFO_PAGE_PARTS); part++) {
    this.core.bytes(exports.pagePart(page, part), exports.pagePartBytes(part)).fill(0xff);
  }
  return page;
};
