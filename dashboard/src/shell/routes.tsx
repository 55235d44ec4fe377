import { Center, Loader } from "@mantine/core";
import { Component, type ReactNode, Suspense } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { EmptyState } from "../parts/empty-state";
import { ErrorState } from "../parts/error-state";
import { RequireScope } from "../parts/needs-scope";
import { useTitle } from "../parts/title";
import { PLACES } from "./navigation";

function Nothing() {
  useTitle("Not found");
  return (
    <EmptyState title="There is no such page">
      Go to the <Link href="/">overview</Link>.
    </EmptyState>
  );
}

/** A page that fails leaves the others usable. */
class Fence extends Component<{ children: ReactNode; at: string }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidUpdate(before: { at: string }) {
    if (before.at !== this.props.at && this.state.error) this.setState({ error: null });
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <ErrorState error={this.state.error} retry={() => location.reload()} retryLabel="Load anew" />
    );
  }
}

export function Routes() {
  const [location] = useLocation();
  return (
    <Fence at={location}>
      <Suspense
        fallback={
          <Center py={80}>
            <Loader aria-label="Loading" />
          </Center>
        }
      >
        <Switch>
          {PLACES.map(({ path, label, page: Page, scope }) => (
            <Route key={path} path={path === "/" ? "/" : `${path}/*?`}>
              <RequireScope scope={scope} page={label}>
                <Page />
              </RequireScope>
            </Route>
          ))}
          <Route>
            <Nothing />
          </Route>
        </Switch>
      </Suspense>
    </Fence>
  );
}
