import { Anchor, Card, Group, Table, Text, Title } from "@mantine/core";
import { Link } from "wouter";
import { useGet } from "../../../api/hooks";
import type { Delivery, Page } from "../../../api/types";
import { ErrorState } from "../../../parts/error-state";
import { Status } from "../../../parts/status";
import { Time } from "../../../parts/time";

/** An endpoint's latest deliveries. */
export function Latest({ id }: { id: string }) {
  const listed = useGet<Page<Delivery>>(
    "/deliveries",
    { endpoint_id: id, limit: 8 },
    { every: 10_000 },
  );
  return (
    <Card withBorder component="section" aria-label="Latest deliveries">
      <Group justify="space-between" mb="xs">
        <Title order={2} size="h5">
          Latest deliveries
        </Title>
        <Group gap="md">
          <Anchor component={Link} href={`/dead-letters?endpoint_id=${id}`} size="sm">
            Its dead letters
          </Anchor>
          <Anchor component={Link} href={`/deliveries?endpoint_id=${id}`} size="sm">
            All of them
          </Anchor>
        </Group>
      </Group>
      {listed.error && <ErrorState error={listed.error} retry={() => listed.refetch()} />}
      {listed.data?.data.length === 0 && (
        <Text size="sm" c="dimmed">
          Nothing has been sent to it lately. Send a test event below.
        </Text>
      )}
      {listed.data && listed.data.data.length > 0 && (
        <Table.ScrollContainer
          minWidth={460}
          type="native"
          tabIndex={0}
          role="region"
          aria-label="Latest deliveries, table"
        >
          <Table verticalSpacing={6} highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Event</Table.Th>
                <Table.Th>Status</Table.Th>
                <Table.Th ta="right">Attempts</Table.Th>
                <Table.Th>Last answer</Table.Th>
                <Table.Th>Accepted</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {listed.data.data.map((row) => {
                const last = row.attempt_log.at(-1);
                return (
                  <Table.Tr key={row.id}>
                    <Table.Td>
                      <Anchor component={Link} href={`/deliveries/${row.id}`} size="sm">
                        {row.event_type}
                      </Anchor>
                    </Table.Td>
                    <Table.Td>
                      <Status state={row.status} />
                    </Table.Td>
                    <Table.Td ta="right">{row.attempts}</Table.Td>
                    <Table.Td>
                      <Text size="xs">
                        {last ? (last.status_code ?? last.error?.kind ?? "–") : "–"}
                        {last && ` in ${last.latency_ms} ms`}
                      </Text>
                    </Table.Td>
                    <Table.Td fz="sm">
                      <Time at={row.created_at} relative />
                    </Table.Td>
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Card>
  );
}
