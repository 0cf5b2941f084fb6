// The site that npm run docs made: every link and anchor leads somewhere, nothing is loaded from elsewhere, and people can use it.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ENTRIES, PAGES } from "../../docs/site/pages.mjs";
import { DESK, findings, launch, PHONE } from "../chat/harness.mjs";
import { DIST, serveSite } from "./serve.mjs";

const files = readdirSync(DIST, { recursive: true }).filter(
  (name) => name.endsWith(".html") && !name.startsWith("chat/"),
);
const html = new Map(files.map((name) => [name, readFileSync(join(DIST, name), "utf8")]));
const ids = new Map(
  [...html].map(([name, text]) => [name, new Set([...text.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id))]),
);

/** Links of a page that lead to nothing in the site. */
function dead(name) {
  const links = [...html.get(name).matchAll(/<(?:a|img|link|script)\b[^>]*?\s(?:href|src)="([^"]+)"/g)].map(
    ([, link]) => link,
  );
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path, anchor] = decodeURIComponent(link.replaceAll("&amp;", "&")).split("#");
    const file = path === "" ? name : normalize(path.startsWith("/") ? path.slice(1) : join(dirname(name), path));
    const page = file === "." || file.endsWith("/") ? join(file, "index.html") : file;
    const found = [page, `${page}.html`].find((each) => existsSync(join(DIST, each)));
    if (!found) return true;
    return anchor !== undefined && anchor !== "" && html.has(found) && !ids.get(found).has(anchor);
  });
}

test("every document and every entry point is a page", () => {
  expect(files).toEqual(expect.arrayContaining([...PAGES.values()].map((page) => `${page}.html`)));
  expect(files).toEqual(expect.arrayContaining(ENTRIES.map(([name]) => `api/${name.replaceAll(" ", "-")}.html`)));
  expect(files).toEqual(
    expect.arrayContaining(["index.html", "it/index.html", "it/guida.html", "playground.html", "it/playground.html"]),
  );
});

test.each(files)("links of %s", (name) => {
  expect(dead(name)).toEqual([]);
});

describe("in Chromium", () => {
  let site;
  let browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([serveSite(), launch("chromium", "en")]);
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
  });

  const open = async (path, viewport = DESK, theme = "light") => {
    const page = await browser.open("about:blank", viewport);
    page.asked = [];
    page.on("request", (request) => page.asked.push(request.url()));
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    await page.goto(site.url + path, { waitUntil: "networkidle0" });
    return page;
  };

  const looked = ["/", "/it/", "/it/guida.html", "/playground.html", "/server.html", "/api/zagreus-edge/server.html"];
  const looks = looked.flatMap((path) => [
    [path, "light", DESK.width, DESK],
    [path, "dark", PHONE.width, PHONE],
  ]);
  test.each(looks)(
    "%s, %s, %i wide: axe-core finds nothing, nothing comes from elsewhere",
    async (path, theme, width, size) => {
      const page = await open(path, size, theme);
      expect(await page.evaluate(() => document.documentElement.classList.contains("dark"))).toBe(theme === "dark");
      expect(await findings(page)).toEqual([]);
      expect(page.asked.filter((url) => !url.startsWith(site.url) && !url.startsWith("data:"))).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(page.errors).toEqual([]);
      await page.close();
    },
  );

  test.each(["/", "/it/"])("%s: the search finds a word of a document", async (path) => {
    const page = await open(path);
    await page.locator("#local-search button").click();
    await page.locator(".VPLocalSearchBox input").fill("max-queue");
    await page.waitForFunction(() =>
      [...document.querySelectorAll(".VPLocalSearchBox .result")].some(({ href }) => href.includes("/server.html#")),
    );
    await page.close();
  });

  test.each(["/playground.html", "/it/playground.html"])("%s: the model goes on with a text", async (path) => {
    const page = await open(path);
    await page.locator(".playground button").click();
    await page.waitForFunction(
      () => / × CPU: \d+ /.test(document.querySelector(".playground [role=status]").textContent),
      {
        timeout: 60_000,
      },
    );
    expect((await page.$eval(".playground output", (output) => output.textContent)).length).toBeGreaterThan(50);
    expect(page.errors).toEqual([]);
    await page.close();
  });
});
