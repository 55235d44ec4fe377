import { Card, SimpleGrid, Text } from "@mantine/core";
import type { Counts } from "../../api/types";
import { count, milliseconds, percent } from "../../parts/format";

interface Figure {
  label: string;
  value: string;
  about: string;
  color?: string;
}

function figures(counts: Counts): Figure[] {
  const { latency } = counts;
  const rate = counts.success_rate;
  return [
    {
      label: "Success rate",
      value: percent(rate),
      about: "of deliveries that ended",
      color: rate == null ? undefined : rate >= 0.999 ? "teal" : rate >= 0.99 ? "yellow" : "red",
    },
    {
      label: "Delivered",
      value: count(counts.delivered),
      about: `${count(counts.first_try)} at once`,
    },
    {
      label: "Failed attempts",
      value: count(counts.failed_attempts),
      about: "requests not accepted",
    },
    { label: "Retried", value: count(counts.retried), about: "failed, and tried again" },
    {
      label: "Dead",
      value: count(counts.dead),
      about: counts.dead > 0 ? "given up: look at dead letters" : "given up",
      color: counts.dead > 0 ? "red" : undefined,
    },
    { label: "Events", value: count(counts.events), about: "accepted" },
    {
      label: "Latency p50",
      value: milliseconds(latency.p50_ms),
      about: `average ${milliseconds(latency.average_ms)}`,
    },
    {
      label: "Latency p95",
      value: milliseconds(latency.p95_ms),
      about: `p99 ${milliseconds(latency.p99_ms)}`,
    },
  ];
}

/** What the time came to. */
export function Figures({ counts }: { counts: Counts }) {
  return (
    <SimpleGrid
      cols={{ base: 2, sm: 4, xl: 8 }}
      spacing="sm"
      component="section"
      aria-label="Figures"
    >
      {figures(counts).map(({ label, value, about, color }) => (
        <Card key={label} withBorder padding="sm">
          <Text size="xs" c="dimmed" fw={600}>
            {label}
          </Text>
          <Text fz={26} fw={700} lh={1.25} className="figure" data-tone={color}>
            {value}
          </Text>
          <Text size="xs" c="dimmed">
            {about}
          </Text>
        </Card>
      ))}
    </SimpleGrid>
  );
}
