// The API's shapes under the names that pages call them by. They come from its OpenAPI document:
// `npm run schema` makes `schema.ts` anew from a running system.
import type { components, operations } from "./schema";

type Schemas = components["schemas"];

export type Endpoint = Schemas["Endpoint"];
export type Health = Schemas["Health"];
export type SubscriberHealth = Schemas["SubscriberHealth"];
export type Delivery = Schemas["Delivery"];
export type Stats = Schemas["Stats"];
export type Counts = Schemas["Counts"];
export type Metrics = Schemas["Metrics"];
export type Retry = Schemas["Retry"];

/** What the first answer of a call holds. */
export type Answer<Operation extends keyof operations, Status extends number = 200> =
  operations[Operation]["responses"] extends Record<
    Status,
    { content: { "application/json": infer Content } }
  >
    ? Content
    : never;

export type Scope = "publish" | "read" | "manage" | "admin";

export type DeadLetters = Page<Schemas["DeadLetter"]>;

/** Who is signed in: `GET /api/v1/whoami`. */
export interface Caller {
  actor: string;
  tenant: string;
  all_tenants: boolean;
  scopes: Scope[];
}

/** What anybody may know of the deployment: `GET /dashboard/deployment.json`. */
export interface Deployment {
  version: string;
  auth: "required" | "off";
  live_url: string | null;
}

/** What waits after a failed attempt, or behind a breaker or a pause: `GET /api/v1/stats/backlog`. */
export interface Backlog {
  waiting: {
    status: "pending" | "retrying" | "parked" | "held";
    count: number;
    more: boolean;
    oldest?: string | null;
    oldest_at?: string | null;
  }[];
}

/** A page of a list. */
export interface Page<T> {
  data: T[];
  next: string | null;
}
