// The API reference: a page for each entry point of the package, of its declarations.

import { join } from "node:path";
import { Application } from "typedoc";
import { ENTRIES } from "./pages.mjs";

/** @param types the folder of declarations that the package has @param out where the pages go */
export async function writeReference(types, out) {
  const app = await Application.bootstrapWithPlugins({
    plugin: ["typedoc-plugin-markdown"],
    entryPoints: ENTRIES.map(([, path]) => join(types, path)),
    tsconfig: new URL("tsconfig.json", import.meta.url).pathname,
    readme: "none",
    name: "API",
    disableSources: true,
    excludeInternal: true,
    excludePrivate: true,
    skipErrorChecking: true,
    validation: false,
    logLevel: "Error",
    out,
    outputFileStrategy: "modules",
    entryFileName: "index",
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: true,
    useHTMLAnchors: true,
    anchorPrefix: "api-",
    parametersFormat: "table",
    sanitizeComments: true,
  });
  const project = await app.convert();
  if (!project) throw new Error("typedoc made nothing of the declarations");
  for (const module of project.children) {
    const [name] = ENTRIES.find(([, path]) => path.replace(/^host\/|(\/index)?\.d\.ts$/g, "") === module.name);
    module.name = name;
  }
  await app.generateOutputs(project);
}
