// The demonstration: endpoints that accept, waver and fail, and a feed that shows green, yellow and
// red while it happens.
import { after, before, test } from "node:test";
import { isAccessible, launch, open, settled, shoot } from "./lib/browser.mjs";
import { receiver, Tenant, until } from "./lib/system.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("the demonstration runs to its end, in green, yellow and red, and is taken away again", async () => {
  const tenant = new Tenant("demo");
  const key = await tenant.keyFor("manage", "publish");
  const tab = await open(browser, { key, path: "/live" });
  const { page } = tab;
  await settled(page);
  const run = page.getByRole("button", { name: "Run demo" });
  await run.waitFor();
  const address = page.getByLabel("Address of a test receiver");
  if (await address.count()) await address.fill(receiver);
  await page.locator("[data-feed-mode=live], [data-feed-mode=polling]").waitFor();
  const feed = page.getByRole("table", { name: "Attempts, newest first" });
  const yellow = feed.getByText("will retry", { exact: true }).first();
  // What delivers learns within seconds that somebody watches: the first attempts may be missed.
  for (let turn = 0; turn < 3; turn += 1) {
    await run.click();
    await page.getByText("The demo is over").waitFor({ timeout: 40_000 });
    const seen = yellow.waitFor({ timeout: 5_000 });
    if (
      await seen.then(
        () => true,
        () => false,
      )
    )
      break;
  }
  for (const outcome of ["delivered", "will retry", "dead"]) {
    await feed.getByText(outcome, { exact: true }).first().waitFor();
  }
  await shoot(page, "demo");
  await isAccessible(page, "the feed");
  await page.getByRole("button", { name: "Clean up the demo" }).click();
  await until("its endpoints are gone", async () => {
    const { data } = await tenant.get("/endpoints");
    return data.length === 0;
  });
  tab.isSound();
  await tab.close();
});

test("whoever may not make endpoints is told what the demonstration needs", async () => {
  const tab = await open(browser, {
    key: await new Tenant("watcher").keyFor("read"),
    path: "/live",
  });
  await tab.page.getByText("sign in with a key that has the scopes manage and publish").waitFor();
  tab.isSound();
  await tab.close();
});
