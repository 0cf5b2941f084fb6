// The shared suite in a Worker. With ?clock=still time passes only while the event loop comes round, as on Cloudflare's machines.

import { assets, load, r2, ZagreusError } from "zagreus-edge/cloudflare-workers";
import { runSuite } from "../runtimes/suite.mjs";
import { stopClock } from "./clock.mjs";

export default {
  async fetch(request, { MODELS, ASSETS, RUNTIME }) {
    if (new URL(request.url).searchParams.get("clock") === "still") stopClock();
    const report = await runSuite({
      runtime: RUNTIME,
      load,
      ZagreusError,
      bytes: new Uint8Array(await (await MODELS.get("nano.gguf")).arrayBuffer()),
      sources: { R2: () => r2(MODELS, "nano.gguf"), assets: () => assets(ASSETS, "/model") },
    });
    return Response.json(report);
  },
};
