// The site's looks and its lists. Everything that a page needs is part of the site: search, fonts, icons.

import { readFileSync } from "node:fs";
import { defineConfig } from "vitepress";
import { ENTRIES, SECTIONS } from "../pages.mjs";

const { repository, version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
const address = (repository?.url ?? repository)?.replace(/^git\+|\.git$/g, "");
const base = process.env.DOCS_BASE ?? "/";

const apiPage = (name) => `/api/${name.replaceAll(" ", "-")}`;

/** The anchor of a heading, as repositories have it: links of the documents work in both. */
const slugify = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
const sidebar = [
  ...SECTIONS.map(([text, pages]) => ({
    text,
    items: pages.map(([page, , title, parts]) => ({
      text: title,
      link: `/${page}`,
      ...(parts && { items: parts.map(([name, anchor]) => ({ text: name, link: `/${page}#${anchor}` })) }),
    })),
  })),
  { text: "API", items: ENTRIES.map(([name]) => ({ text: name, link: apiPage(name) })) },
];

/** A table's header without words is no header to those who listen. */
function emptyHeaders({ tokens }) {
  for (const [i, { type }] of tokens.entries()) {
    if (type === "th_open" && tokens[i + 1].content === "") {
      tokens[i].tag = "td";
      tokens[i + 2].tag = "td";
    }
  }
}

/** Searching on the Italian pages finds the documents, which are English, too. */
const oneSearchIndex = {
  name: "one-search-index",
  transform: (code, id) =>
    id === "/@localSearchIndex" ? code.replace("@localSearchIndexit'", "@localSearchIndexroot'") : undefined,
};

export default defineConfig({
  vite: { plugins: [oneSearchIndex], build: { chunkSizeWarningLimit: 4000 } },
  srcDir: "pages",
  outDir: "dist",
  cacheDir: "node_modules/.cache",
  base,
  title: "zagreus-edge",
  description: "A language model in WebAssembly, anywhere",
  head: [["link", { rel: "icon", href: `${base}chat/icon.svg` }]],
  markdown: {
    anchor: { slugify },
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config: (md) => md.core.ruler.push("empty_headers", emptyHeaders),
  },
  ignoreDeadLinks: [/^\/chat\//, /^https?:\/\/localhost/],
  locales: {
    root: { label: "English", lang: "en" },
    it: {
      label: "Italiano",
      lang: "it",
      description: "Un modello linguistico in WebAssembly, ovunque",
      themeConfig: {
        nav: [
          { text: "Guida", link: "/it/guida" },
          { text: "API", link: "/api/" },
          { text: "Prova", link: "/it/playground" },
        ],
        darkModeSwitchLabel: "Aspetto",
        lightModeSwitchTitle: "Passa al tema chiaro",
        darkModeSwitchTitle: "Passa al tema scuro",
        langMenuLabel: "Cambia lingua",
        returnToTopLabel: "Torna su",
        sidebarMenuLabel: "Indice",
        outline: { label: "In questa pagina" },
      },
    },
  },
  themeConfig: {
    i18nRouting: false,
    search: {
      provider: "local",
      options: {
        locales: {
          it: {
            translations: {
              button: { buttonText: "Cerca", buttonAriaLabel: "Cerca" },
              modal: {
                noResultsText: "Nessun risultato per",
                footer: { selectText: "apri", navigateText: "scorri", closeText: "chiudi" },
              },
            },
          },
        },
      },
    },
    nav: [
      { text: "Guide", link: "/library" },
      { text: "API", link: "/api/" },
      { text: "Playground", link: "/playground" },
      { text: version, link: "/changelog" },
    ],
    sidebar,
    outline: { level: [2, 3] },
    ...(address && { socialLinks: [{ icon: "git", link: address }] }),
    footer: { message: "Apache-2.0" },
  },
});
