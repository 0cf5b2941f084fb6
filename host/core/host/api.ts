// The public surface of a host.

import type { LoadOptions, Model, ModelInfo } from "../api/api.js";
import type { OffloadedModel, OffloadOptions } from "../offload/api.js";

/** Loads a model from a source of the host. @throws ZagreusError as its file, the source and the options are to blame */
export interface Load<Source, Options extends OffloadOptions> {
  (source: Source, options: Options & { offload: true }): Promise<OffloadedModel>;
  (source: Source, options?: Options & { offload?: false | undefined }): Promise<Model>;
}

/** What the header of a model's file says, and the plan of its memory; no weight is read. @throws ZagreusError as Load does */
export type Inspect<Source, Options extends LoadOptions = LoadOptions> = (
  source: Source,
  options?: Omit<Options, "offload">,
) => Promise<ModelInfo>;
