import { chosenTenant, credential } from "./credential";
import { Problem } from "./problem";

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface Options {
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

type Listener = () => void;
const refused = new Set<Listener>();

/** Calls `listener` whenever the API no longer knows the key. */
export function onRefused(listener: Listener): () => void {
  refused.add(listener);
  return () => refused.delete(listener);
}

/** A path below /api/v1 with its query; what is empty is left out. */
export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `/api/v1${path}${text ? `?${text}` : ""}`;
}

/** Makes a call, with the key and tenant of this tab; whatever is no success is thrown. */
export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  const key = credential();
  const tenant = chosenTenant();
  if (key) headers.set("authorization", `Bearer ${key}`);
  if (tenant) headers.set("x-tenant", tenant);
  const init: RequestInit = { method, headers, signal: options.signal ?? null };
  if (options.body !== undefined) {
    headers.set("content-type", "application/json");
    init.body = JSON.stringify(options.body);
  }
  const response = await fetch(address(path, options.query), init).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw Problem.unreachable();
  });
  if (!response.ok) {
    const problem = await Problem.from(response);
    if (problem.status === 401) for (const listener of refused) listener();
    throw problem;
  }
  return response;
}

/** Makes a call, and reads the JSON that it answers; nothing of an empty answer. */
export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const response = await send(method, path, options);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  call<T>("GET", path, { ...(query && { query }), ...(signal && { signal }) });
