import {
  Alert,
  Anchor,
  Badge,
  Button,
  Card,
  Group,
  Skeleton,
  Stack,
  Text,
  ThemeIcon,
  Title,
} from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "wouter";
import { useGet } from "../../api/hooks";
import type { Backlog, Endpoint, Page, Stats, SubscriberHealth } from "../../api/types";
import { ErrorState } from "../../parts/error-state";
import { findings } from "./findings";

/** Shown before one asks for all of them. */
const FEW = 5;

/** What needs somebody, before anything else: whoever is on call sees it at once. */
export function Attention(props: { stats: Stats | undefined; backlog: Backlog | undefined }) {
  const { stats, backlog } = props;
  const [all, setAll] = useState(false);
  const health = useGet<Page<SubscriberHealth>>(
    "/endpoints/health",
    { limit: 200 },
    { every: 15_000 },
  );
  const disabled = useGet<Page<Endpoint>>(
    "/endpoints",
    { state: "disabled", limit: 200 },
    { every: 60_000 },
  );
  const error = health.error ?? disabled.error;
  if (error) return <ErrorState error={error} retry={() => health.refetch()} />;
  if (!health.data || !disabled.data) return <Skeleton height={64} />;
  const found = findings(health.data.data, disabled.data.data, stats, backlog, Date.now());
  if (found.length === 0) {
    return (
      <Alert color="teal" variant="light" icon={<IconCircleCheck />} title="Nothing needs you">
        No breaker is open, no endpoint keeps failing, and nothing was given up in this time.
      </Alert>
    );
  }
  const grave = found.some((one) => one.grave);
  return (
    <Card
      withBorder
      component="section"
      aria-label="Needs attention"
      className="attention"
      data-grave={grave || undefined}
    >
      <Group gap="xs" mb="xs">
        <ThemeIcon variant="light" color={grave ? "red" : "yellow"} size={28} radius="xl">
          <IconAlertTriangle size={16} aria-hidden />
        </ThemeIcon>
        <Title order={2} size="h5">
          Needs attention: {found.length}
        </Title>
      </Group>
      <Stack gap="sm" component="ul" m={0} pl={0} style={{ listStyle: "none" }}>
        {found.slice(0, all ? undefined : FEW).map(({ id, grave: bad, what, todo, link }) => (
          <li key={id} className="finding">
            <Badge
              size="sm"
              radius="sm"
              tt="none"
              variant="light"
              color={bad ? "red" : "yellow"}
              mr={8}
            >
              {bad ? "now" : "soon"}
            </Badge>
            <Text span size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
              {what}
            </Text>
            <Text size="sm" c="dimmed">
              {todo}{" "}
              <Anchor component={Link} href={link.href} inherit underline="always">
                {link.label}
              </Anchor>
            </Text>
          </li>
        ))}
      </Stack>
      {found.length > FEW && (
        <Group mt="sm">
          <Button size="compact-sm" variant="default" onClick={() => setAll(!all)}>
            {all ? "Show the worst only" : `Show all ${found.length}`}
          </Button>
        </Group>
      )}
    </Card>
  );
}
