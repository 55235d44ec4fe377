import { notifications } from "@mantine/notifications";
import {
  keepPreviousData,
  type UseQueryResult,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useState } from "react";
import { get, type Query } from "./client";
import { asProblem, type Problem, remedy } from "./problem";
import type { Page } from "./types";

export interface GetOptions {
  /** Whether to ask at all. */
  enabled?: boolean;
  /** Asks again after so many milliseconds, while the page is looked at. */
  every?: number | false;
  /** Shows what was there while something else is asked for. */
  keep?: boolean;
}

/** What a GET answers. The key begins with the path, so that it can be forgotten by it. */
export function useGet<T>(
  path: string,
  query: Query = {},
  { enabled = true, every = false, keep = false }: GetOptions = {},
): UseQueryResult<T, Problem> {
  return useQuery<T, Problem>({
    queryKey: [path, query],
    queryFn: ({ signal }) => get<T>(path, query, signal),
    enabled,
    refetchInterval: every,
    ...(keep && { placeholderData: keepPreviousData }),
  });
}

/** A list, a page at a time. Goes back to the first page when the query changes. */
export function usePages<T>(path: string, query: Query = {}, options: GetOptions = {}) {
  const asked = JSON.stringify([path, query]);
  const [places, setPlaces] = useState<{ asked: string; after: string[] }>({ asked, after: [] });
  const after = places.asked === asked ? places.after : [];
  const result = useGet<Page<T>>(
    path,
    { ...query, after: after.at(-1) },
    { keep: true, ...options },
  );
  const next = result.data?.next ?? null;
  return {
    ...result,
    rows: result.data?.data ?? [],
    page: after.length + 1,
    hasNext: next !== null,
    hasPrevious: after.length > 0,
    toNext: () => next !== null && setPlaces({ asked, after: [...after, next] }),
    toPrevious: () => setPlaces({ asked, after: after.slice(0, -1) }),
    toFirst: () => setPlaces({ asked, after: [] }),
  };
}

export interface ActOptions<In, Out> {
  /** What is said once it is done. */
  done?: string | ((answer: Out, input: In) => string);
  /** The paths whose answers it changes; all of them unless told. */
  changes?: string[];
  onDone?: (answer: Out, input: In) => void;
  /** Keeps quiet about a problem that the page itself shows. */
  quiet?: (problem: Problem) => boolean;
}

/** Does something, says what came of it, and asks again for what it has changed. */
export function useAct<In = void, Out = unknown>(
  act: (input: In) => Promise<Out>,
  { done, changes, onDone, quiet }: ActOptions<In, Out> = {},
) {
  const client = useQueryClient();
  return useMutation<Out, Problem, In>({
    mutationFn: act,
    onSuccess: async (answer, input) => {
      const message = typeof done === "function" ? done(answer, input) : done;
      if (message) notifications.show({ message, color: "teal" });
      onDone?.(answer, input);
      await client.invalidateQueries({
        predicate: ({ queryKey: [path] }) =>
          changes === undefined || changes.some((one) => String(path).startsWith(one)),
      });
    },
    onError: (error) => {
      const problem = asProblem(error);
      if (problem.status === 401 || quiet?.(problem)) return;
      notifications.show({
        color: "red",
        title: problem.title,
        message: `${problem.detail} ${remedy(problem)}`,
        autoClose: 12_000,
      });
    },
  });
}
