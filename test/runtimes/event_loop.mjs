// How busy a server's thread is, 0 to 1, while a long prompt runs: with the model in it, and with the model offloaded. Prints JSON.

import { bundledModel, load } from "zagreus-edge";

async function utilization(options) {
  const model = await load(bundledModel, { ...options, threads: 1 });
  const tokens = Array.from({ length: model.info.contextLength }, (_, i) => i % 1000);
  const before = performance.eventLoopUtilization();
  await model.logits(tokens);
  const { utilization } = performance.eventLoopUtilization(before);
  model.close();
  return utilization;
}

console.log(JSON.stringify({ plain: await utilization({}), offloaded: await utilization({ offload: true }) }));
