/** Attempts as they happen. */

import { Button, Group, Stack } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { useGet } from "../../api/hooks";
import type { Endpoint, Page } from "../../api/types";
import { EmptyState } from "../../parts/empty-state";
import { PageHeader } from "../../parts/page-header";
import { type FeedFilter, NO_FILTER } from "./attempts";
import { DemoPanel } from "./demo-panel";
import { FeedFilters } from "./feed-filters";
import { FeedStatus } from "./feed-status";
import { FeedTable } from "./feed-table";
import { type Feed, useFeed } from "./use-feed";

export default function LivePage() {
  const [filter, setFilter] = useState<FeedFilter>(NO_FILTER);
  const feed = useFeed(filter);
  const listed = useGet<Page<Endpoint>>("/endpoints", { limit: 200 }, { every: 30_000 });
  const endpoints = listed.data?.data ?? [];
  const byId = useMemo(
    () => new Map((listed.data?.data ?? []).map((endpoint) => [endpoint.id, endpoint])),
    [listed.data],
  );
  return (
    <Stack gap="md">
      <PageHeader title="Live" about="Attempts as they are made, and what each came to." />
      <DemoPanel rows={feed.all} />
      <FeedFilters filter={filter} endpoints={endpoints} onChange={setFilter} />
      <Group justify="space-between">
        <FeedStatus feed={feed} />
        <Controls feed={feed} />
      </Group>
      {feed.rows.length === 0 ? (
        <EmptyState title="Nothing has been attempted since this page was opened">
          Post an event, or run the demo: attempts appear here as they are made.
        </EmptyState>
      ) : (
        <FeedTable rows={feed.rows} endpoints={byId} />
      )}
    </Stack>
  );
}

function Controls({ feed }: { feed: Feed }) {
  return (
    <Group gap="xs">
      {feed.isPaused ? (
        <Button
          variant="light"
          leftSection={<IconPlayerPlay size={16} aria-hidden />}
          onClick={feed.resume}
        >
          Resume{feed.waiting > 0 ? ` (${feed.waiting} new)` : ""}
        </Button>
      ) : (
        <Button
          variant="default"
          leftSection={<IconPlayerPause size={16} aria-hidden />}
          onClick={feed.pause}
        >
          Pause
        </Button>
      )}
      <Button variant="subtle" onClick={feed.clear} disabled={feed.rows.length === 0}>
        Clear
      </Button>
    </Group>
  );
}
