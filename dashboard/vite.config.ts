import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where the API is while developing: what `cargo run -p hookpost-local` says. */
const api = process.env.HOOKPOST_API ?? "http://127.0.0.1:8000";

const served = [
  "/api",
  "/docs",
  "/openapi.json",
  "/catalogue",
  "/graphql",
  "/dashboard/deployment.json",
];

export default defineConfig({
  base: "/dashboard/",
  plugins: [react()],
  // The admin function puts a nonce of its own in its place in each answer.
  html: { cspNonce: "hookpost-nonce" },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  server: {
    proxy: Object.fromEntries(served.map((path) => [path, { target: api, changeOrigin: true }])),
  },
});
