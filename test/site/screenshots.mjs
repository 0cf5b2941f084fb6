// Pictures of the site, desktop and phone, light and dark: node test/site/screenshots.mjs [FOLDER], after npm run docs.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DESK, launch, PHONE, ROOT } from "../chat/harness.mjs";
import { serveSite } from "./serve.mjs";

const [folder = join(ROOT, "test/.cache/site")] = process.argv.slice(2);
const PAGES = {
  start: "/",
  inizio: "/it/",
  server: "/server.html",
  api: "/api/zagreus-edge.html",
  playground: "/playground.html",
};

mkdirSync(folder, { recursive: true });
const [site, browser] = await Promise.all([serveSite(), launch("chromium", "en")]);
for (const [name, path] of Object.entries(PAGES)) {
  for (const [size, viewport] of Object.entries({ desktop: DESK, phone: PHONE })) {
    for (const theme of ["light", "dark"]) {
      const page = await browser.open("about:blank", viewport);
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      await page.goto(site.url + path, { waitUntil: "networkidle0" });
      await page.screenshot({ path: join(folder, `${name}-${size}-${theme}.png`) });
      await page.close();
    }
  }
}
await browser.close();
site.close();
console.log(folder);
