// What lets this tab in: kept for the tab's life only, and never in an address.
const KEY = "hookpost.credential";
const TENANT = "hookpost.tenant";

export function credential(): string | null {
  return sessionStorage.getItem(KEY);
}

export function keepCredential(value: string | null): void {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

/** The tenant to look at, for a key that speaks for all of them. */
export function chosenTenant(): string | null {
  return sessionStorage.getItem(TENANT);
}

export function chooseTenant(value: string | null): void {
  if (value) sessionStorage.setItem(TENANT, value);
  else sessionStorage.removeItem(TENANT);
}

/** Takes what a link brought with it (`#token=...`) out of the address, and keeps it. */
export function takeFromAddress(): void {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (token === null) return;
  history.replaceState(history.state, "", location.pathname + location.search);
  chooseTenant(null);
  keepCredential(token.trim());
}
