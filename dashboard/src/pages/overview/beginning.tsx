import { Button, Card } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { Link } from "wouter";
import { EmptyState } from "../../parts/empty-state";

/** Before the first event: what to do to see something. */
export function Beginning() {
  return (
    <Card withBorder component="section" aria-label="Nothing has been sent yet">
      <EmptyState
        title="Nothing has been sent yet"
        icon={<IconPlayerPlay size={26} />}
        action={
          <Button component={Link} href="/live" mt="xs">
            Run demo
          </Button>
        }
      >
        Add an endpoint and post an event, or let the demo do both: it makes endpoints on a test
        receiver, and shows what becomes of three events.
      </EmptyState>
    </Card>
  );
}
