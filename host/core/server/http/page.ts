// The files of a page that browsers get.

export const PAGE_INDEX = "index.html";

/** Its own scripts, no pictures of others: whatever a model writes, nothing is fetched from elsewhere. MCP servers are where people have them. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' https: http:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function pageFile(file: Blob): Response {
  const headers = {
    "content-type": file.type || "application/octet-stream",
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    vary: "accept",
  };
  return new Response(file, { headers });
}
