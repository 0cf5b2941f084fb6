// Evaluated before zod makes a schema: the page's policy lets nothing make code of text, and trying is reported.

import { config } from "zod";

export const ZOD = config({ jitless: true });
