import { Badge, Code, Group, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { Endpoint } from "../../../api/types";
import { Copyable } from "../../../parts/copyable";
import { Facts } from "../../../parts/facts";
import { ScheduleShown } from "../../../parts/schedule-shown";
import { Time } from "../../../parts/time";

type Newer = { ordered?: boolean; on_dead_letter?: string | null; max_in_flight?: number | null };

function tags(texts: readonly (string | number)[]): ReactNode {
  if (texts.length === 0) return "none";
  return (
    <Group gap={4}>
      {texts.map((text) => (
        <Badge key={text} variant="default" radius="sm" tt="none" size="sm">
          {text}
        </Badge>
      ))}
    </Group>
  );
}

function json(value: unknown): ReactNode {
  if (value === null || value === undefined) return "none";
  return (
    <Code block tabIndex={0} style={{ maxHeight: 220, overflow: "auto" }}>
      {JSON.stringify(value, null, 2)}
    </Code>
  );
}

/** All that is set. */
export function SettingsCard({ endpoint }: { endpoint: Endpoint & Newer }) {
  const rows: [string, ReactNode][] = [
    ["Id", <Copyable key="id" value={endpoint.id} what="endpoint id" />],
    ["URL", <Copyable key="url" value={endpoint.url} what="URL" />],
    ["Event types", tags(endpoint.event_types)],
    ["Filter", json(endpoint.filter)],
    ["Template", json(endpoint.template)],
    ["Retries", <ScheduleShown key="r" retry={endpoint.retry} />],
    ["Never retried", tags(endpoint.no_retry_statuses)],
    ["Retried anyway", tags(endpoint.retry_statuses)],
    [
      "What answers mean",
      endpoint.response_rules.length > 0 ? json(endpoint.response_rules) : "as HTTP says",
    ],
    [
      "Breaker",
      `opens after ${endpoint.breaker.failures} failures in a row, for ${endpoint.breaker.pause_seconds} s`,
    ],
    ["Time-out", `${endpoint.timeout_seconds} s`],
    [
      "Rate limit",
      endpoint.rate_limit_per_second ? `${endpoint.rate_limit_per_second} a second` : "none",
    ],
  ];
  if (endpoint.max_in_flight !== undefined) {
    rows.push(["At once", endpoint.max_in_flight ?? "no limit"]);
  }
  if (endpoint.ordered) {
    rows.push(["Order", `strict; at a dead letter ${endpoint.on_dead_letter ?? "skip"}`]);
  }
  rows.push(
    [
      "Headers",
      Object.keys(endpoint.headers).length === 0
        ? "none"
        : Object.entries(endpoint.headers).map(([name, value]) => (
            <Text key={name} size="sm">
              {name}: {value}
            </Text>
          )),
    ],
    ["Basic auth", endpoint.auth ? endpoint.auth.username : "none"],
    [
      "Metadata",
      Object.keys(endpoint.metadata).length === 0
        ? "none"
        : tags(Object.entries(endpoint.metadata).map(([key, value]) => `${key}: ${value}`)),
    ],
    ["Made", <Time key="m" at={endpoint.created_at} />],
    ["Changed", <Time key="c" at={endpoint.updated_at} />],
  );
  return <Facts title="Settings" rows={rows} />;
}
