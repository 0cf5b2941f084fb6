// Connections in one process, and what can happen to them.

import type { ByteChannel, Shard } from "zagreus-edge/shards";

export interface Line {
  /** Of the shard. */
  far: ByteChannel;
  near: ByteChannel;
  /** Cuts it at both ends. */
  cut(): void;
}

/** What a piece of bytes becomes on its way to the edge. */
export type Meddle = (bytes: Uint8Array) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

/** Two ends of a connection, which holds one piece at a time. */
export function line(meddle: Meddle = (bytes) => bytes): Line {
  const cuts: (() => void)[] = [];
  const pipe = (change: Meddle) => {
    let controller!: TransformStreamDefaultController<Uint8Array>;
    const stream = new TransformStream<Uint8Array, Uint8Array>({
      start: (given) => {
        controller = given;
      },
      async transform(bytes, to) {
        const changed = await change(bytes);
        if (changed) to.enqueue(changed);
      },
    });
    cuts.push(() => controller.error(new Error("cut")));
    return stream;
  };
  const [there, back] = [pipe((bytes) => bytes), pipe(meddle)];
  return {
    near: { readable: back.readable, writable: there.writable },
    far: { readable: there.readable, writable: back.writable },
    cut: () => {
      for (const cut of cuts) cut();
    },
  };
}

/** A shard that can be connected to, and what it said when connections ended. */
export class Served {
  shard: Shard;
  /** All that there were. */
  readonly lines: Line[] = [];
  readonly ends: Promise<unknown>[] = [];
  meddle: Meddle | undefined;
  /** Whether nobody answers. */
  away = false;

  constructor(shard: Shard) {
    this.shard = shard;
  }

  readonly connect = (): ByteChannel => {
    if (this.away) throw new Error("nobody is there");
    const made = line(this.meddle);
    this.lines.push(made);
    this.ends.push(
      this.shard.serve(made.far).then(
        () => "ended",
        (error) => error,
      ),
    );
    return made.near;
  };

  cut(): void {
    this.lines.at(-1)!.cut();
  }
}
