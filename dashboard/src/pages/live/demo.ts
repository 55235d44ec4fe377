/**
 * The demonstration: endpoints on a test receiver that accept, waver and fail, and events that end
 * in green, yellow and red. Everything it makes has the metadata `demo: true`, by which it is found
 * and taken away again, whoever made it.
 */

export interface DemoApi {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  delete(path: string): Promise<void>;
}

interface DemoEndpoint {
  name: string;
  path: string;
}

export const DEMO_ENDPOINTS: readonly DemoEndpoint[] = [
  { name: "Demo: shop (accepts everything)", path: "/success" },
  { name: "Demo: warehouse (fails once, then accepts)", path: "/flaky?fail=1" },
  { name: "Demo: accounting (is down)", path: "/fail" },
];

/** Two attempts a second apart: red within a few seconds, and no breaker opens. */
const RETRY = { initial_delay: 1, multiplier: 1, jitter: 0, max_attempts: 2 };
const BREAKER = { failures: 100, pause_seconds: 30 };

/** After this long every instance that takes events in knows of an endpoint. */
const KNOWN_AFTER_MS = 1_500;

const EVENTS = [
  { type: "demo.order.created", payload: { order_id: "ord_1042", total: 129.9, currency: "EUR" } },
  { type: "demo.order.paid", payload: { order_id: "ord_1042", method: "card" } },
  { type: "demo.customer.updated", payload: { customer_id: "cus_77", changed: ["address"] } },
];

export interface DemoRun {
  /** The deliveries that it waits for. */
  deliveries: string[];
  /** How many endpoints it made, or found from before. */
  endpoints: number;
}

interface Listed {
  data: { id: string; url: string }[];
}

interface Accepted {
  deliveries: { id: string }[];
}

/** `https://receiver.example` of what was typed, or why it is none. */
export function receiverOf(text: string): { url: string } | { problem: string } {
  const trimmed = text.trim().replace(/\/+$/, "");
  if (!/^https?:\/\/[^\s/]+/.test(trimmed)) {
    return { problem: "Give the address of a receiver, such as https://receiver.example.com" };
  }
  return { url: trimmed };
}

/** Makes what is not there yet, fires the events, and tells what to wait for. */
export async function runDemo(api: DemoApi, receiver: string): Promise<DemoRun> {
  const known = await demoEndpoints(api);
  let made = 0;
  for (const endpoint of DEMO_ENDPOINTS) {
    const [path, query] = endpoint.path.split("?");
    const url = `${receiver}${path}/demo${query ? `?${query}` : ""}`;
    if (known.some((one) => one.url === url)) continue;
    await api.post("/endpoints", {
      name: endpoint.name,
      url,
      event_types: ["demo.*"],
      retry: RETRY,
      breaker: BREAKER,
      metadata: { demo: "true" },
    });
    made += 1;
  }
  if (made > 0) await new Promise((resolve) => setTimeout(resolve, KNOWN_AFTER_MS));
  const deliveries: string[] = [];
  for (const event of EVENTS) {
    const accepted = await api.post<Accepted>("/events", {
      event_type: event.type,
      payload: event.payload,
    });
    deliveries.push(...accepted.deliveries.map((delivery) => delivery.id));
  }
  return { deliveries, endpoints: DEMO_ENDPOINTS.length };
}

/** Takes the demonstration's endpoints away; how many. */
export async function cleanUp(api: DemoApi): Promise<number> {
  const endpoints = await demoEndpoints(api);
  for (const endpoint of endpoints) await api.delete(`/endpoints/${endpoint.id}`);
  return endpoints.length;
}

export async function demoEndpoints(api: DemoApi): Promise<Listed["data"]> {
  const listed = await api.get<Listed>("/endpoints?metadata=demo%3Atrue&limit=200");
  return listed.data;
}
