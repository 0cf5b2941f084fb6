// The official SDK of the Model Context Protocol, an optional peer dependency: it is loaded when --mcp is given.

const PACKAGE = "@modelcontextprotocol/sdk";

const load = async () => ({
  ...(await import("@modelcontextprotocol/sdk/client/index.js")),
  ...(await import("@modelcontextprotocol/sdk/client/stdio.js")),
  ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
  ...(await import("@modelcontextprotocol/sdk/types.js")),
});

export type Sdk = Awaited<ReturnType<typeof load>>;

const loadWithServer = async () => ({
  ...(await load()),
  ...(await import("@modelcontextprotocol/sdk/server/index.js")),
  ...(await import("@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js")),
});

export type ServerSdk = Awaited<ReturnType<typeof loadWithServer>>;

/** @throws Error with the command that installs it, if it is not there */
export const loadSdk = (): Promise<Sdk> => installed(load);

/** The same, with what serves others. */
export const loadServerSdk = (): Promise<ServerSdk> => installed(loadWithServer);

async function installed<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error(
      `--mcp needs the package ${PACKAGE} beside this one: npm install ${PACKAGE} (with -g if zagreus is)`,
      {
        cause: error,
      },
    );
  }
}
