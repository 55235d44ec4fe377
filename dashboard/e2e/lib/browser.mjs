// A browser, and pages that tell of everything that goes wrong in them.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { api } from "./system.mjs";

// Where the page is: what the system serves, or `npm run dev` while it is changed.
const site = process.env.HOOKPOST_PAGE ?? api;

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);
const shots = process.env.HOOKPOST_SCREENSHOTS;
if (shots) mkdirSync(shots, { recursive: true });

export const LOOKS = {
  light: { colorScheme: "light", viewport: { width: 1360, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1360, height: 900 } },
  phone: {
    colorScheme: "light",
    viewport: { width: 360, height: 740 },
    isMobile: true,
    hasTouch: true,
  },
};

export function launch() {
  return chromium.launch({
    executablePath: [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
      (path) => path && existsSync(path),
    ),
    // Containers, and root, have no sandbox for it.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--lang=en-GB"],
  });
}

/** A tab in which somebody with this key is signed in, or nobody. */
export async function open(browser, { key, look = "light", path = "/" } = {}) {
  const context = await browser.newContext({
    ...LOOKS[look],
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    reducedMotion: "reduce",
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const troubles = [];
  page.on("console", (message) => {
    const text = message.text();
    // A refused call is told by the page; the browser notes it besides.
    if (message.type() === "error" && !/status of 4\d\d/.test(text)) troubles.push(text);
  });
  page.on("pageerror", (error) => troubles.push(String(error)));
  const fragment = key ? `#token=${encodeURIComponent(key)}` : "";
  await page.goto(`${site}/dashboard${path}${fragment}`);
  return {
    page,
    troubles,
    /** Goes to another place, as its address says. */
    goto: (place) => page.goto(`${site}/dashboard${place}`),
    isSound: () => assert.deepEqual(troubles, []),
    close: () => context.close(),
  };
}

/** Waits until a page shows its heading, and nothing on it is loading. */
export async function settled(page) {
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForFunction(
    () => !document.querySelector(".mantine-Skeleton-root, .mantine-Loader-root, [aria-busy=true]"),
  );
}

/** Holds that axe finds nothing serious on the page. */
export async function isAccessible(page, what) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { resultTypes: ["violations"] }),
  );
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = grave.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 200)).join("\n    ")}`,
  );
  assert.deepEqual(told, [], what);
}

/** Holds that nothing of the page is wider than its window. */
export async function fits(page, what) {
  const { wide, room } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    room: document.documentElement.clientWidth,
  }));
  assert.ok(wide <= room, `${what} is ${wide} wide in ${room}`);
}

export async function shoot(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}
