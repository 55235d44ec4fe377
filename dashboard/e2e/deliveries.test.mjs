// Deliveries are found, looked into, sent again, and downloaded.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launch, open, settled } from "./lib/browser.mjs";
import { Tenant, until } from "./lib/system.mjs";

let browser;
const tenant = new Tenant("deliveries");
let key;
before(async () => {
  browser = await launch();
  key = await tenant.keyFor("manage", "publish");
  await tenant.endpoint("/success", { name: "Shop" });
  await tenant.endpoint("/status/500", { name: "Warehouse" });
  for (const type of ["order.created", "order.paid"]) await tenant.publish(type);
});
after(() => browser?.close());

test("a filter finds deliveries, and its CSV holds exactly those", async () => {
  const tab = await open(browser, { key, path: "/deliveries" });
  const { page } = tab;
  await settled(page);
  await page.getByRole("combobox", { name: "Status" }).click();
  await page.getByRole("option", { name: "dead" }).click();
  await page.waitForURL(/status=dead/);
  await page.getByLabel("Event type").fill("order.paid");
  await page.waitForURL(/event_type=order.paid/);
  const row = page.getByRole("table", { name: "Deliveries" }).getByRole("row").nth(1);
  await row.getByText("Warehouse").waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "CSV" }).click(),
  ]);
  assert.match(download.suggestedFilename(), /^deliveries-\d{4}-\d\d-\d\d\.csv$/);
  const text = await readFile(await download.path(), "utf8");
  const lines = text.trimEnd().split("\r\n");
  const names = lines[0].split(",");
  assert.equal(lines.length, 2, text);
  const cells = Object.fromEntries(lines[1].split(",").map((cell, nth) => [names[nth], cell]));
  assert.equal(cells.event_type, "order.paid");
  assert.equal(cells.status, "dead");
  assert.equal(cells.last_status_code, "500");
  tab.isSound();
  await tab.close();
});

test("a delivery shows its request, its signature and every attempt, and is sent again", async () => {
  const dead = (await tenant.get("/deliveries?status=dead&event_type=order.created")).data[0];
  const tab = await open(browser, { key, path: `/deliveries/${dead.id}` });
  const { page } = tab;
  await page.getByText("webhook-signature: v1,").waitFor();
  await page.getByLabel("Body of the request").getByText(dead.event_id).waitFor();
  const attempts = page.getByRole("region", { name: "Attempts" });
  await attempts.getByText("HTTP 500").first().waitFor();
  await page.getByRole("button", { name: "Replay" }).click();
  await page.getByText("It goes out now.").waitFor();
  await attempts.getByText("replay 1").waitFor();
  tab.isSound();
  await tab.close();
});

test("an event is tried out, sent from a form, and its deliveries shown", async () => {
  const tab = await open(browser, { key, path: "/events/new" });
  const { page } = tab;
  await page.getByRole("combobox", { name: "Event type" }).fill("cart.left");
  await page.getByLabel("Payload").fill("{");
  await page.getByRole("button", { name: "Send it" }).isDisabled();
  await page.getByLabel("Payload").fill('{"items": 3}');
  await page.getByRole("button", { name: "Whom would it reach?" }).click();
  await page.getByRole("heading", { name: "It would reach 2" }).waitFor();
  await page.getByRole("button", { name: "Send it" }).click();
  await page.getByRole("heading", { level: 1, name: "cart.left" }).waitFor();
  await page
    .getByRole("region", { name: "Deliveries" })
    .first()
    .getByText("delivered")
    .first()
    .waitFor();
  await until("it is stored", async () => {
    const { data } = await tenant.get("/events?event_type=cart.left");
    return data.length === 1 && data[0].delivery_count === 2;
  });
  tab.isSound();
  await tab.close();
});
