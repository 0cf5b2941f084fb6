// A folder in memory, which can be full, slow, or fail.

import { isPageName, type PageFiles } from "../../../../host/core/kv/disk/page_files";

export class MemoryFiles implements PageFiles {
  readonly files = new Map<string, { bytes: Uint8Array; used: number }>();
  /** Bytes that it has room for. */
  capacity = Number.POSITIVE_INFINITY;
  /** Called before all that is done; may throw, or take its time. */
  before: (what: string, name: string) => unknown = () => {};
  writes = 0;

  get bytes(): number {
    return [...this.files.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  async list() {
    await this.before("list", "");
    return [...this.files]
      .filter(([name]) => isPageName(name))
      .map(([name, { bytes, used }]) => ({ name, bytes: bytes.length, used }));
  }
  async read(name: string, most: number) {
    await this.before("read", name);
    return this.files.get(name)?.bytes.slice(0, most);
  }
  async write(name: string, bytes: Uint8Array) {
    const copy = bytes.slice();
    await this.before("write", name);
    if (this.bytes + copy.length > this.capacity) throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
    this.files.set(name, { bytes: copy, used: Date.now() });
    this.writes++;
  }
  async touch(name: string, used: number) {
    await this.before("touch", name);
    const file = this.files.get(name);
    if (file) file.used = used;
    return file !== undefined;
  }
  async remove(name: string) {
    await this.before("remove", name);
    this.files.delete(name);
  }
}
