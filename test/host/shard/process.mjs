// A shard in a process or a worker of its own: process.mjs MODEL FIRST END tcp | stdio, or a worker with these and a port.

import { createServer } from "node:net";
import { isMainThread, workerData } from "node:worker_threads";
import { loadShard, portChannel, streamChannel } from "../../../dist/shards.js";

const [model, first, end, transport] = isMainThread ? process.argv.slice(2) : workerData.args;
const options = { layers: [Number(first), Number(end)], build: "simd", contextLength: 256, sequences: 4 };
const shard = await loadShard(model, options);
if (transport === "tcp") {
  const server = createServer((socket) => {
    shard.serve(streamChannel(socket)).catch(console.error);
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
} else if (transport === "stdio") {
  await shard.serve(streamChannel({ stdout: process.stdin, stdin: process.stdout }));
  process.exit();
} else await shard.serve(portChannel(workerData.port));
