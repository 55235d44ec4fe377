import { Center, Loader } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from "react";
import { get, onRefused } from "../api/client";
import { chooseTenant, chosenTenant, credential, keepCredential } from "../api/credential";
import { asProblem, Problem } from "../api/problem";
import type { Caller, Deployment, Scope } from "../api/types";
import { ErrorState } from "../parts/error-state";
import { SignIn } from "./sign-in";

export interface Session {
  deployment: Deployment;
  caller: Caller;
  /** Whether a key was needed to get in, so that one can be given back. */
  signedIn: boolean;
  may: (scope: Scope) => boolean;
  toTenant: (tenant: string | null) => void;
  signOut: () => void;
}

const Context = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(Context);
  if (session === null) throw new Error("nobody is signed in");
  return session;
}

/** What a scope brings with it: as the API has it. */
const IMPLIED: Record<Scope, Scope[]> = {
  publish: ["publish"],
  read: ["read"],
  manage: ["manage", "read"],
  admin: ["admin", "manage", "read", "publish"],
};

async function deploymentOf(): Promise<Deployment> {
  const response = await fetch("/dashboard/deployment.json").catch(() => {
    throw Problem.unreachable();
  });
  if (!response.ok) throw await Problem.from(response);
  return response.json();
}

/** Finds out who looks at the page, asks for a key where one is needed, and shows the rest then. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [, setTurn] = useState(0);
  const [refused, setRefused] = useState(false);
  const key = credential();
  const tenant = chosenTenant();
  const deployment = useQuery<Deployment, Problem>({
    queryKey: ["deployment.json"],
    queryFn: deploymentOf,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const needsKey = deployment.data?.auth === "required";
  const caller = useQuery<Caller, Problem>({
    queryKey: ["/whoami", { key: key?.slice(-8), tenant }],
    queryFn: () => get<Caller>("/whoami"),
    enabled: deployment.data !== undefined && (!needsKey || key !== null),
    staleTime: 60_000,
    retry: (count, error) => count < 2 && (asProblem(error).status === 0 || error.status >= 500),
  });

  const begin = useCallback(
    (value: string | null) => {
      keepCredential(value);
      chooseTenant(null);
      setRefused(false);
      client.removeQueries({ predicate: ({ queryKey: [path] }) => path !== "deployment.json" });
      setTurn((turn) => turn + 1);
    },
    [client],
  );
  const toTenant = useCallback(
    (value: string | null) => {
      chooseTenant(value);
      client.removeQueries({ predicate: ({ queryKey: [path] }) => path !== "deployment.json" });
      setTurn((turn) => turn + 1);
    },
    [client],
  );
  useEffect(
    () =>
      onRefused(() => {
        keepCredential(null);
        setRefused(true);
      }),
    [],
  );

  if (deployment.error) {
    return <ErrorState error={deployment.error} retry={() => deployment.refetch()} />;
  }
  if (needsKey && (refused || key === null)) {
    return <SignIn refused={refused} begin={begin} />;
  }
  if (caller.error && caller.error.status !== 401) {
    const wrongTenant = tenant !== null && [403, 422].includes(caller.error.status);
    return wrongTenant ? (
      <ErrorState
        error={caller.error}
        retry={() => toTenant(null)}
        retryLabel="Back to the key's own tenant"
      />
    ) : (
      <SignIn refused={false} problem={caller.error} begin={begin} />
    );
  }
  if (!deployment.data || !caller.data) {
    return (
      <Center h="100vh">
        <Loader aria-label="Loading" />
      </Center>
    );
  }
  const scopes = new Set(caller.data.scopes.flatMap((scope) => IMPLIED[scope]));
  const session: Session = {
    deployment: deployment.data,
    caller: caller.data,
    signedIn: needsKey,
    may: (scope) => scopes.has(scope),
    toTenant,
    signOut: () => begin(null),
  };
  // A page knows nothing of another tenant: it begins anew.
  return (
    <Context.Provider value={session} key={caller.data.tenant}>
      {children}
    </Context.Provider>
  );
}
