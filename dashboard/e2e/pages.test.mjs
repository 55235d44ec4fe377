// Each page opens without a complaint of the browser, and axe finds nothing serious on it: light,
// dark and on a phone. Each is kept as a picture.
import { after, before, test } from "node:test";
import { fits, isAccessible, LOOKS, launch, open, settled, shoot } from "./lib/browser.mjs";
import { Tenant } from "./lib/system.mjs";

const tenant = new Tenant("pages");
let browser;
let key;
const places = {};

before(async () => {
  browser = await launch();
  key = await tenant.keyFor("admin");
  const [shop] = await Promise.all([
    tenant.endpoint("/success", { name: "Shop", description: "The shop's back end" }),
    tenant.endpoint("/status/503", { name: "Warehouse", event_types: ["order.*"] }),
    tenant.endpoint("/status/404", { name: "Accounting", event_types: ["invoice.*"] }),
    tenant.call("PATCH", "/event-types", {
      event_types: [
        {
          name: "order.created",
          group: "Orders",
          description: "An order was placed and paid for",
          example: { order_id: "ORD-001", amount: 42.5 },
          schema: { type: "object", required: ["order_id"] },
        },
        { name: "order.shipped", group: "Orders", description: "An order left the warehouse" },
        { name: "invoice.sent", group: "Invoices", description: "An invoice was sent" },
      ],
    }),
  ]);
  let order;
  for (const type of ["order.created", "order.shipped", "invoice.sent", "order.created"]) {
    const event = await tenant.publish(type, {
      order_id: "ORD-001",
      amount: 42.5,
      items: ["a", "b"],
    });
    if (type === "order.created") order = event;
  }
  const dead = await tenant.get("/dead-letters?failure=http_503");
  const job = await tenant.post("/jobs", {
    action: "replay",
    filter: { resolved: false },
    dry_run: true,
  });
  Object.assign(places, {
    overview: "/",
    live: "/live",
    endpoints: "/endpoints",
    endpoint: `/endpoints/${shop.id}`,
    "endpoint-new": "/endpoints/new",
    deliveries: "/deliveries",
    delivery: `/deliveries/${dead.data[0].delivery_id}`,
    events: "/events",
    event: `/events/${order.id}`,
    "event-new": `/events/new?like=${order.id}`,
    "dead-letters": "/dead-letters",
    "dead-letters-one-by-one": "/dead-letters?view=letters",
    "dead-letter": `/dead-letters/${dead.data[0].delivery_id}`,
    jobs: "/dead-letters/jobs",
    job: `/dead-letters/jobs/${job.id}`,
    "event-types": "/event-types",
    "event-type": "/event-types/of/order.created",
    "event-type-edit": "/event-types/edit/order.created",
    "event-types-import": "/event-types/import",
    "api-keys": "/api-keys",
    audit: "/audit",
    settings: "/settings",
    "not-found": "/nowhere",
  });
});

after(() => browser?.close());

for (const look of Object.keys(LOOKS)) {
  test(`every page is sound and accessible: ${look}`, async (t) => {
    const tab = await open(browser, { key, look });
    await settled(tab.page);
    for (const [name, place] of Object.entries(places)) {
      await t.test(`${name}, ${look}`, async () => {
        await tab.goto(place);
        await (name === "not-found"
          ? tab.page.getByText("There is no such page").waitFor()
          : settled(tab.page));
        await shoot(tab.page, `${name}-${look}`);
        await isAccessible(tab.page, name);
        await fits(tab.page, name);
        tab.isSound();
      });
    }
    await tab.close();
  });
}

test("whoever is not signed in is asked for a key, and a wrong one is said to be wrong", async () => {
  for (const look of Object.keys(LOOKS)) {
    const tab = await open(browser, { look });
    await tab.page.getByRole("heading", { name: "Sign in to Hookpost" }).waitFor();
    await shoot(tab.page, `sign-in-${look}`);
    await isAccessible(tab.page, "sign in");
    await tab.page.getByLabel("API key or token").fill("hk_wrong");
    await tab.page.getByRole("button", { name: "Sign in" }).click();
    await tab.page.getByText("This key is not known").waitFor();
    await tab.page.getByLabel("API key or token").fill(key);
    await tab.page.getByRole("button", { name: "Sign in" }).click();
    await tab.page.getByRole("heading", { name: "Overview" }).waitFor();
    tab.isSound();
    await tab.close();
  }
});

test("empty lists say what to do", async () => {
  const empty = new Tenant("empty");
  const tab = await open(browser, { key: await empty.keyFor("admin") });
  for (const [place, words] of [
    ["/deliveries", "Nothing has been delivered yet"],
    ["/events", "No events yet"],
    ["/dead-letters", "No dead letters"],
    ["/dead-letters/jobs", "No jobs yet"],
    ["/event-types", "The catalogue is empty"],
    ["/endpoints", "No endpoints yet"],
  ]) {
    await tab.goto(place);
    await tab.page.getByRole("heading", { name: words }).waitFor();
    await isAccessible(tab.page, `${place}, empty`);
    await shoot(tab.page, `empty${place.replaceAll("/", "-")}`);
  }
  tab.isSound();
  await tab.close();
});
