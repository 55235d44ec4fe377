// Dead letters are counted by what failed where, and a group is replayed: counted first, at a rate,
// to its end.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isAccessible, launch, open, shoot } from "./lib/browser.mjs";
import { receiver, Tenant, until } from "./lib/system.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("a group is counted, replayed at a rate, and gone when its receiver is well", async () => {
  const tenant = new Tenant("replay");
  const warehouse = await tenant.endpoint("/status/503", { name: "Warehouse" });
  for (const nth of [1, 2, 3]) await tenant.publish("order.created", { nth });
  const tab = await open(browser, { key: await tenant.keyFor("manage"), path: "/dead-letters" });
  const { page } = tab;
  const group = page.getByRole("region", { name: "HTTP 503: Service Unavailable at Warehouse" });
  await group.getByText("3", { exact: true }).waitFor();
  await group.getByText("wait until it is well again, then replay slowly").waitFor();

  // Mended.
  await tenant.call("PATCH", `/endpoints/${warehouse.id}`, { url: `${receiver}/success` });
  await group.getByRole("button", { name: "Replay…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByTestId("bulk-count").getByText("3 deliveries").waitFor();
  await dialog.getByLabel("At most so many a second").fill("20");
  await shoot(page, "replay-counted");
  await isAccessible(page, "the question");
  await dialog.getByRole("button", { name: "Replay 3" }).click();
  await dialog.getByText("3 deliveries were replayed").waitFor();
  await shoot(page, "replay-finished");
  await dialog.getByRole("link", { name: "The job's own page" }).click();
  await page.getByRole("heading", { level: 1, name: "Replay" }).waitFor();
  await page.getByText("at most 20 a second").waitFor();

  await until("all are delivered", async () => {
    const { data } = await tenant.get("/deliveries?status=delivered");
    return data.length === 3;
  });
  await tab.goto("/dead-letters");
  await page.getByRole("heading", { name: "No dead letters" }).waitFor();
  tab.isSound();
  await tab.close();
});

test("one is resolved with a note, another replayed, another deleted", async () => {
  const tenant = new Tenant("one");
  await tenant.endpoint("/status/404", { name: "Accounting" });
  for (const type of ["a.resolved", "a.replayed", "a.deleted"]) await tenant.publish(type);
  const tab = await open(browser, { key: await tenant.keyFor("manage") });
  const { page } = tab;
  const show = async (type) => {
    await tab.goto("/dead-letters?view=letters");
    await page.getByRole("link", { name: type }).click();
    await page.getByText("Nothing is at this URL").waitFor();
  };
  await show("a.resolved");
  await page.getByRole("button", { name: "Resolve" }).click();
  await page.getByRole("dialog").getByLabel("Note").fill("told accounting");
  await page.getByRole("dialog").getByRole("button", { name: "Resolve" }).click();
  await page.getByText("told accounting").waitFor();

  await show("a.replayed");
  await page.getByRole("button", { name: "Replay" }).click();
  await page.getByRole("heading", { level: 1, name: "a.replayed to Accounting" }).waitFor();

  await show("a.deleted");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("heading", { level: 1, name: "Dead letters" }).waitFor();
  await until("one is resolved, and one replayed", async () => {
    const resolved = await tenant.get("/dead-letters?resolved=true");
    const all = await tenant.get("/deliveries");
    return (
      resolved.data.length === 1 &&
      all.data.length === 2 &&
      all.data.some(({ cycle }) => cycle === 1)
    );
  });
  const [note] = (await tenant.get("/dead-letters?resolved=true")).data;
  assert.equal(note.note, "told accounting");
  tab.isSound();
  await tab.close();
});
