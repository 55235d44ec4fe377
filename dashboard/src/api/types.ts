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

export type Scope = Schemas["Scope"];

export type DeadLetters = Page<Schemas["DeadLetter"]>;

/** Who is signed in: `GET /api/v1/whoami`. */
export type Caller = Schemas["Caller"];

/** What a tenant has set for all of its events: `GET /api/v1/settings`. */
export type TenantSettings = Schemas["Settings"];

/** What the deployment has set for all of its tenants: `GET /api/v1/deployment`. */
export type DeploymentSettings = Schemas["Deployment"];

/** What anybody may know of the deployment: `GET /dashboard/deployment.json`. */
export interface Deployment {
  version: string;
  auth: "required" | "off";
  live_url: string | null;
}

/** What waits after a failed attempt, or behind a breaker or a pause: `GET /api/v1/stats/backlog`. */
export type Backlog = Schemas["Backlog"];

/** A page of a list. */
export interface Page<T> {
  data: T[];
  next: string | null;
}
