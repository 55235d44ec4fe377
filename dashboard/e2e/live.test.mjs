// The live feed shows attempts as they are made; the demonstration ends in green, yellow and red.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isAccessible, launch, open, shoot } from "./lib/browser.mjs";
import { Tenant, until } from "./lib/system.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const mode = (page, name) => page.locator(`[data-feed-mode="${name}"]`).waitFor();
const outcomes = (page) =>
  page
    .locator("tbody [data-outcome]")
    .evaluateAll((all) => [...new Set(all.map((one) => one.dataset.outcome))].sort());

test("the demo is offered before the first event, runs to its end, and is cleaned up", async () => {
  const tenant = new Tenant("demo");
  const key = await tenant.keyFor("manage", "publish");
  const tab = await open(browser, { key });
  const { page } = tab;
  await page.getByRole("link", { name: "Run demo" }).click();
  await mode(page, "live");
  // A function that delivers asks now and then only whether anybody watches: whoever has just begun
  // to may miss the first attempts, and runs it once more.
  const yellow = page.locator('[data-outcome="retrying"]').first();
  for (let turn = 0; turn < 3; turn += 1) {
    await page.getByRole("button", { name: "Run demo" }).click();
    await page.getByText("The demo is over").waitFor({ timeout: 30_000 });
    const seen = yellow.waitFor({ timeout: 5_000 });
    if (
      await seen.then(
        () => true,
        () => false,
      )
    ) {
      break;
    }
  }
  for (const outcome of ["delivered", "retrying", "dead"]) {
    await page.locator(`[data-outcome="${outcome}"]`).first().waitFor();
  }
  await shoot(page, "live-demo");
  await isAccessible(page, "the demo");
  await page.getByRole("button", { name: "Clean up the demo" }).click();
  await until("its endpoints are gone", async () => {
    const { data } = await tenant.get("/endpoints");
    return data.length === 0;
  });
  tab.isSound();
  await tab.close();
});

test("what comes while it is paused waits, and a filter leaves the rest out", async () => {
  const tenant = new Tenant("live");
  await tenant.endpoint("/success", { name: "Shop" });
  await tenant.endpoint("/fail", { name: "Accounting" });
  const tab = await open(browser, { key: await tenant.keyFor("read"), path: "/live" });
  const { page } = tab;
  await mode(page, "live");
  await page.getByText("sign in with a key that has the scopes manage and publish").waitFor();
  await until("something is shown", async () => {
    await tenant.publish("order.created");
    return (await outcomes(page)).length === 2;
  });
  await page.getByRole("button", { name: "Pause" }).click();
  const before = await page.locator("tbody tr").count();
  await tenant.publish("order.paid");
  const resume = page.getByRole("button", { name: /Resume \(\d+ new\)/ });
  await resume.waitFor();
  assert.equal(await page.locator("tbody tr").count(), before);
  await resume.click();
  await page.getByRole("link", { name: "order.paid" }).first().waitFor();
  await page.getByRole("combobox", { name: "Outcome" }).click();
  await page.getByRole("option", { name: "dead" }).click();
  await until("only dead ones are left", async () => (await outcomes(page)).join() === "dead");
  await page.getByRole("textbox", { name: "Event type" }).fill("order.paid");
  await until("only of that type", async () => (await page.locator("tbody tr").count()) === 1);
  tab.isSound();
  await tab.close();
});

test("where there is no live feed the list is looked at, and the page says so", async () => {
  const tenant = new Tenant("polling");
  await tenant.endpoint("/success");
  await tenant.publish("order.created");
  const tab = await open(browser, { key: await tenant.token(), path: "/settings" });
  const { page } = tab;
  await page.route("**/api/v1/live/tickets", (route) =>
    route.fulfill({ status: 404, contentType: "application/problem+json", body: "{}" }),
  );
  await page.getByRole("link", { name: "Live", exact: true }).click();
  await mode(page, "polling");
  await page.getByText("this deployment has no live feed").waitFor();
  await page.getByRole("link", { name: "order.created" }).waitFor();
  // Off the navigation, whose look under the pointer is its own.
  await page.mouse.move(800, 700);
  await page.waitForTimeout(300);
  await isAccessible(page, "the feed that polls");
  tab.isSound();
  await tab.close();
});
