import { posix } from "node:path";
import { expect, test } from "vitest";
import { hubPaths, hubSettings } from "../../../host/core/hub/index";

const paths = (env: Record<string, string>) => hubPaths(env, "/home/ada", posix.join);

test.each([
  [{}, "/home/ada/.cache/huggingface/hub", "/home/ada/.cache/huggingface/token"],
  [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub", "/x/huggingface/token"],
  [{ HF_HOME: "/h", XDG_CACHE_HOME: "/x" }, "/h/hub", "/h/token"],
  [{ HF_HOME: "~/h" }, "/home/ada/h/hub", "/home/ada/h/token"],
  [{ HF_HOME: "$DATA/h", DATA: "/d" }, "/d/h/hub", "/d/h/token"],
  [{ HF_HUB_CACHE: "/c", HF_HOME: "/h" }, "/c", "/h/token"],
  [{ HUGGINGFACE_HUB_CACHE: "/old" }, "/old", "/home/ada/.cache/huggingface/token"],
  [{ HF_HUB_CACHE: "/c", HUGGINGFACE_HUB_CACHE: "/old" }, "/c", "/home/ada/.cache/huggingface/token"],
  [{ HF_HUB_CACHE: "$" + "{A}/$B", A: "/a" }, "/a/$B", "/home/ada/.cache/huggingface/token"],
  [{ HF_TOKEN_PATH: "~/t", HF_HOME: "" }, "/home/ada/.cache/huggingface/hub", "/home/ada/t"],
])("%j", (env, cache, token) => {
  expect(paths(env as Record<string, string>)).toMatchObject({ cache, token });
});

test("what no hub has", () => {
  expect(paths({}).assets).toBe("/home/ada/.cache/huggingface/assets");
  expect(paths({ HF_HOME: "/h", HF_HUB_CACHE: "/c" }).assets).toBe("/h/assets");
  expect(paths({ HF_HOME: "/h", HF_ASSETS_CACHE: "~/a" }).assets).toBe("/home/ada/a");
});

test("the token", () => {
  const token = (env: Record<string, string>, stored?: string) => hubSettings(env, "/c", stored).token;
  expect(token({})).toBeUndefined();
  expect(token({}, " hf_stored\n")).toBe("hf_stored");
  expect(token({ HF_TOKEN: "hf_a", HUGGING_FACE_HUB_TOKEN: "hf_b" }, "hf_c")).toBe("hf_a");
  expect(token({ HUGGING_FACE_HUB_TOKEN: "hf_b" }, "hf_c")).toBe("hf_b");
  expect(token({ HF_TOKEN: " \n" })).toBeUndefined();
  expect(token({ HF_TOKEN: "hf_a", HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }, "hf_c")).toBeUndefined();
  expect(() => token({ HF_TOKEN: "hf_sec\nret" })).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", message: expect.not.stringContaining("ret") }),
  );
});

test("endpoint, offline, timeout", () => {
  const settings = (env: Record<string, string>) => hubSettings(env, "/c", undefined);
  expect(settings({})).toMatchObject({ endpoint: "https://huggingface.co", offline: false, timeoutMs: 10_000 });
  expect(settings({ HF_ENDPOINT: "http://127.0.0.1:80/hf/" }).endpoint).toBe("http://127.0.0.1/hf");
  expect(settings({ HF_HUB_DOWNLOAD_TIMEOUT: "3" }).timeoutMs).toBe(3000);
  for (const value of ["-3", "0", "soon"]) expect(settings({ HF_HUB_DOWNLOAD_TIMEOUT: value }).timeoutMs).toBe(10_000);
  expect(settings({ HF_HUB_DOWNLOAD_TIMEOUT: "1e99" }).timeoutMs).toBeLessThan(2 ** 31); // the longest of setTimeout()
  for (const value of ["1", "true", "Yes", "ON"]) expect(settings({ HF_HUB_OFFLINE: value }).offline).toBe(true);
  for (const value of ["0", "false", ""]) expect(settings({ HF_HUB_OFFLINE: value }).offline).toBe(false);
  expect(settings({ TRANSFORMERS_OFFLINE: "1" }).offline).toBe(true);
  for (const value of ["huggingface.co", "ftp://x", "https://u@x", "https://x?y"]) {
    expect(() => settings({ HF_ENDPOINT: value })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", field: "HF_ENDPOINT", value }),
    );
  }
});
