import { Group } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./bar.module.css";

/** What a list is filtered by, above it. */
export function FilterBar({ label, children }: { label: string; children: ReactNode }) {
  return (
    <Group mb="md" gap="sm" role="search" aria-label={label} className={classes.bar}>
      {children}
    </Group>
  );
}
