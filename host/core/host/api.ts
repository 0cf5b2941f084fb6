// The public surface of a host.

import type { LoadOptions, Model, ModelInfo } from "../api/api.js";
import type { OffloadedModel, OffloadOptions } from "../offload/api.js";

export interface Load<Source, Options extends OffloadOptions> {
  (source: Source, options: Options & { offload: true }): Promise<OffloadedModel>;
  (source: Source, options?: Options & { offload?: false | undefined }): Promise<Model>;
}

export type Inspect<Source> = (source: Source, options?: LoadOptions) => Promise<ModelInfo>;
