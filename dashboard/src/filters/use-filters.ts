import { useCallback } from "react";
import { useSearchParams } from "wouter";

/** What a list is filtered by, in the address, so that a link shows the same. */
export function useFilters<Name extends string>(names: readonly Name[]) {
  const [search, setSearch] = useSearchParams();
  const values = Object.fromEntries(names.map((name) => [name, search.get(name) ?? ""])) as Record<
    Name,
    string
  >;
  const set = useCallback(
    (changes: Partial<Record<Name, string | null>>) =>
      setSearch(
        (before) => {
          const after = new URLSearchParams(before);
          for (const [name, value] of Object.entries(changes)) {
            if (typeof value === "string" && value !== "") after.set(name, value);
            else after.delete(name);
          }
          return after;
        },
        { replace: true },
      ),
    [setSearch],
  );
  const isAny = Object.values(values).some(Boolean);
  const clear = () => set(Object.fromEntries(names.map((name) => [name, ""])) as typeof values);
  return { values, set, isAny, clear };
}
