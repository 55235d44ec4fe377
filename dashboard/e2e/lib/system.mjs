// The running system that the tests are against: what it is called by, and what is put into it.
import { readFileSync } from "node:fs";

const ready = JSON.parse(readFileSync(process.env.HOOKPOST_READY, "utf8"));

export const api = ready.api.replace(/\/$/, "");
export const receiver = ready.receiver.replace(/\/$/, "");
/** The key that may do everything: its hash is a parameter of the system. */
export const adminKey = process.env.HOOKPOST_ADMIN_KEY;

const PATIENCE_MS = 20_000;

/** Asks until `ask` answers something, and gives that. */
export async function until(what, ask) {
  const end = Date.now() + PATIENCE_MS;
  let last;
  for (;;) {
    last = await ask();
    if (last) return last;
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((go) => setTimeout(go, 100));
  }
}

/** A tenant of a test's own, so that tests do not meet. */
export class Tenant {
  constructor(name) {
    this.name = `${name}-${Date.now().toString(36)}`;
    this.key = adminKey;
  }

  async call(method, path, body) {
    const response = await fetch(`${api}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        "x-tenant": this.name,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  get = (path) => this.call("GET", path);
  post = (path, body) => this.call("POST", path, body);

  /** A key of this tenant. */
  async keyFor(...scopes) {
    const made = await this.post("/api-keys", { name: scopes.join(" and "), scopes });
    return made.key;
  }

  /** A short-lived token of this tenant, for people to look with. */
  async token() {
    const made = await this.post("/tokens", { tenant: this.name });
    return made.token;
  }

  endpoint(path, more = {}) {
    return this.post("/endpoints", {
      url: `${receiver}${path}`,
      event_types: ["*"],
      retry: { max_attempts: 1 },
      breaker: { failures: 1000 },
      ...more,
    });
  }

  /** Publishes, and waits until every delivery of it is over. */
  async publish(event_type, payload = { amount: 42.5 }) {
    const accepted = await this.post("/events", { event_type, payload });
    await until(`${event_type} is over`, async () => {
      const { deliveries } = await this.get(`/events/${accepted.id}`);
      const over = ["delivered", "dead", "cancelled"];
      return deliveries.every(({ status }) => over.includes(status));
    });
    return accepted;
  }
}
