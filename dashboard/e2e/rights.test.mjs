// A key sees what it may, and is told why it may not do the rest; a token shows its tenant only.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, settled, shoot } from "./lib/browser.mjs";
import { Tenant } from "./lib/system.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("a key that may only read sees dead letters, and why it cannot replay them", async () => {
  const tenant = new Tenant("reader");
  await tenant.endpoint("/status/503", { name: "Warehouse" });
  await tenant.publish("order.created");
  const tab = await open(browser, { key: await tenant.keyFor("read"), path: "/dead-letters" });
  const { page } = tab;
  const replay = page.getByRole("button", { name: "Replay…" });
  await replay.waitFor();
  assert.equal(await replay.getAttribute("aria-disabled"), "true");
  await replay.focus();
  await page.getByRole("tooltip").getByText("Needs the scope manage").waitFor();
  await replay.press("Enter");
  assert.equal(await page.getByRole("dialog").count(), 0);

  for (const place of ["/api-keys", "/audit"]) {
    await tab.goto(place);
    await page.getByRole("heading", { name: "Needs the scope admin" }).waitFor();
  }
  await shoot(page, "without-the-right");
  const [dead] = (await tenant.get("/dead-letters")).data;
  await tab.goto(`/deliveries/${dead.delivery_id}`);
  await page.getByText("The signed request needs the scope").waitFor();
  await page.getByText("42.5").waitFor();
  assert.equal((await tenant.get("/jobs")).data.length, 0);
  tab.isSound();
  await tab.close();
});

test("a tenant's token shows that tenant's things and nobody else's", async () => {
  const [mine, other] = [new Tenant("mine"), new Tenant("other")];
  await mine.endpoint("/success", { name: "My shop" });
  await other.endpoint("/success", { name: "Their shop" });
  await mine.publish("order.mine");
  await other.publish("order.theirs");
  const [theirs] = (await other.get("/deliveries")).data;
  const tab = await open(browser, { key: await mine.token(), path: "/deliveries" });
  const { page } = tab;
  await page.getByRole("link", { name: "order.mine" }).waitFor();
  assert.equal(await page.getByText("order.theirs").count(), 0);
  assert.equal(new URL(page.url()).hash, "");
  await page.getByText(mine.name).first().waitFor();
  await tab.goto(`/deliveries/${theirs.id}`);
  await page.getByRole("alert").getByText("no delivery has this id").waitFor();
  await tab.goto("/endpoints");
  await settled(page);
  await page.getByRole("link", { name: "My shop" }).waitFor();
  assert.equal(await page.getByText("Their shop").count(), 0);
  tab.isSound();
  await tab.close();
});

test("a key is made, shown once, works, and is revoked", async () => {
  const tenant = new Tenant("keys");
  const tab = await open(browser, { key: await tenant.keyFor("admin"), path: "/api-keys" });
  const { page } = tab;
  await page.getByRole("button", { name: "New key" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("shop back end");
  await dialog.getByRole("checkbox", { name: "read" }).check();
  await dialog.getByRole("button", { name: "Make the key" }).click();
  const key = await page.getByLabel("Key", { exact: true }).textContent();
  assert.match(key, /^hk_/);
  const working = Object.assign(new Tenant("keys"), { name: tenant.name, key });
  await working.get("/events");
  await page.getByRole("button", { name: "I have kept it" }).click();
  const row = page.getByRole("row").filter({ hasText: "shop back end" });
  await row.getByText("active").waitFor();
  await page.getByText(key).waitFor({ state: "detached" });
  await row.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await row.getByText("revoked").waitFor();
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
