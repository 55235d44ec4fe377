import { Button, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconDownload } from "@tabler/icons-react";
import { useRef, useState } from "react";
import type { Query } from "../../api/client";
import { asProblem, remedy } from "../../api/problem";
import { count } from "../../parts/format";
import { download, exported } from "./export";

/** Downloads what the filter means, however much it is. */
export function ExportButton({ filter }: { filter: Query }) {
  const [rows, setRows] = useState<number | null>(null);
  const running = useRef<AbortController | null>(null);
  const begin = async () => {
    const controller = new AbortController();
    running.current = controller;
    setRows(0);
    try {
      const blob = await exported(filter, setRows, controller.signal);
      download(blob, `deliveries-${new Date().toISOString().slice(0, 10)}.csv`);
    } catch (error) {
      const problem = asProblem(error);
      if (!controller.signal.aborted) {
        const message = `${problem.detail} ${remedy(problem)}`;
        notifications.show({ color: "red", title: "The export broke off", message });
      }
    }
    setRows(null);
  };
  if (rows !== null) {
    return (
      <Group gap="xs" aria-live="polite">
        <Text size="sm">{count(rows)} rows…</Text>
        <Button variant="default" onClick={() => running.current?.abort()}>
          Stop
        </Button>
      </Group>
    );
  }
  return (
    <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} onClick={begin}>
      CSV
    </Button>
  );
}
