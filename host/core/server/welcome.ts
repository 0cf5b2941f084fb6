// GET /, for whoever opens the server's address: what this is, and what there is to ask for.

interface Entry {
  method: string;
  path: string;
}

/** As JSON, or as a page for whoever would rather have one. */
export function welcome(accept: string | undefined, routes: readonly Entry[]): { body: string; type: string } {
  if (!accept?.includes("text/html")) {
    const body = { name: "zagreus-edge", about: ABOUT, routes: routes.map(({ method, path }) => `${method} ${path}`) };
    return { body: JSON.stringify(body), type: "application/json" };
  }
  const rows = routes.map(({ method, path }) => `<tr><td>${method}<td><code>${path}</code>`);
  return { body: PAGE.replace("{rows}", rows.join("\n")), type: "text/html; charset=utf-8" };
}

const ABOUT = "Language models behind OpenAI's API: give its clients this address with /v1 as the base URL.";

const PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>zagreus-edge</title>
<style>:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; } body { max-width: 40em; margin: 2em auto; padding: 0 1em; }
td { padding: 0.1em 1em 0.1em 0; }</style>
<h1>zagreus-edge</h1>
<p>${ABOUT}</p>
<table>
{rows}
</table>
</html>
`;
