import { Card, Tabs, Title } from "@mantine/core";
import type { Endpoint } from "../../../api/types";
import { RequireScope } from "../../../parts/needs-scope";
import { BodyPreview } from "../form/body-preview";
import { TestSend } from "./test-send";

/** Sending it something, or seeing what would be sent. */
export function TryOut({ endpoint }: { endpoint: Endpoint }) {
  return (
    <Card withBorder component="section" aria-label="Try it out">
      <Title order={2} size="h5" mb="xs">
        Try it out
      </Title>
      <RequireScope scope="manage">
        <Tabs defaultValue="test" keepMounted={false}>
          <Tabs.List>
            <Tabs.Tab value="test">Send a test event</Tabs.Tab>
            <Tabs.Tab value="preview">Preview a request</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="test" pt="md">
            <TestSend endpoint={endpoint} />
          </Tabs.Panel>
          <Tabs.Panel value="preview" pt="md">
            <BodyPreview id={endpoint.id} eventTypes={endpoint.event_types} />
          </Tabs.Panel>
        </Tabs>
      </RequireScope>
    </Card>
  );
}
