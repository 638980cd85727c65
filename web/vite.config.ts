import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const OUT = "../src/mainstem/ui";
const MIN_BYTES = 1024;
const compress = promisify(gzip);

/** Puts a `.gz` beside each text file, so that the server sends it packed without work of its own. */
function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    async writeBundle({ dir = OUT }, bundle) {
      for (const name of Object.keys(bundle)) {
        const content = await readFile(join(dir, name));
        if (!/\.(js|css|svg)$/.test(name) || content.length < MIN_BYTES) continue;
        await writeFile(join(dir, `${name}.gz`), await compress(content, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), packed()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  html: { cspNonce: "__CSP_NONCE__" },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2023",
    cssTarget: ["chrome123", "firefox121", "safari17.5"],
    manifest: true,
    // An inlined asset would be a data: URL, which the Content-Security-Policy refuses for fonts.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1600,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8020", "/openapi.json": "http://127.0.0.1:8020" } },
  test: {
    environment: "jsdom",
    // Files are apart as in processes of their own, and jsdom is loaded once: a quarter of the time.
    pool: "vmThreads",
    setupFiles: ["./vitest.setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    css: { modules: { classNameStrategy: "non-scoped" } },
  },
});
