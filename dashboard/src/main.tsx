import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./app.css";
import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";
import { takeFromAddress } from "./api/credential";
import { asProblem } from "./api/problem";
import { SessionProvider } from "./session/session";
import { Routes } from "./shell/routes";
import { Shell } from "./shell/shell";
import { theme, variables } from "./theme";

takeFromAddress();
window.addEventListener("hashchange", () => {
  if (!location.hash.startsWith("#token=")) return;
  takeFromAddress();
  location.reload();
});

/** The answer's: without it, the policy lets no style element of the library in. */
const nonce = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";
setNonce(nonce);

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5000,
      // A refusal stays one.
      retry: (failures, error) => {
        const { status } = asProblem(error);
        return failures < 2 && (status === 0 || status === 429 || status >= 500);
      },
    },
  },
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider
        theme={theme}
        cssVariablesResolver={variables}
        defaultColorScheme="auto"
        getStyleNonce={() => nonce}
      >
        <QueryClientProvider client={client}>
          <Notifications position="bottom-right" />
          <ModalsProvider>
            <Router base="/dashboard">
              <SessionProvider>
                <Shell>
                  <Routes />
                </Shell>
              </SessionProvider>
            </Router>
          </ModalsProvider>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
