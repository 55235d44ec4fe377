import { Anchor, Card, Stack, Table, Text, Title } from "@mantine/core";
import { Link } from "wouter";
import type { Answer } from "../../api/types";
import { Status } from "../../parts/status";

type Match = Answer<"matchEvent">;

const OUTCOMES: Record<string, { state: string; label: string }> = {
  sent: { state: "delivered", label: "gets it" },
  held: { state: "held", label: "held" },
  dead_letter: { state: "dead", label: "dead letter" },
  not_wanted: { state: "cancelled", label: "not wanted" },
};

/** Whom an event would reach, and why. */
export function Reach({ match }: { match: Match }) {
  return (
    <Card withBorder component="section" aria-label="Whom it would reach">
      <Title order={2} size="h5" mb="xs">
        {match.matched === 0 ? "It would reach nobody" : `It would reach ${match.matched}`}
      </Title>
      <Stack gap={4}>
        <Table verticalSpacing="xs">
          <Table.Tbody>
            {match.endpoints.map((one) => {
              const outcome = OUTCOMES[one.outcome];
              return (
                <Table.Tr key={one.endpoint_id}>
                  <Table.Td>
                    <Anchor
                      component={Link}
                      href={`/endpoints/${one.endpoint_id}`}
                      size="sm"
                      fw={600}
                    >
                      {one.name || one.endpoint_id}
                    </Anchor>
                    <Text size="xs" c="dimmed">
                      {one.reason}
                    </Text>
                  </Table.Td>
                  <Table.Td ta="right">
                    <Status state={outcome?.state ?? one.outcome} label={outcome?.label} />
                  </Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Stack>
    </Card>
  );
}
