import { Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import type { ReactNode } from "react";

interface Question {
  title: string;
  /** What comes of it. */
  children: ReactNode;
  /** What the button says: what will be done. */
  act: string;
  danger?: boolean;
  onYes: () => void;
}

/** Asks before something is done that cannot be undone. */
export function confirm({ title, children, act, danger = false, onYes }: Question): void {
  modals.openConfirmModal({
    title,
    children: (
      <Text size="sm" component="div">
        {children}
      </Text>
    ),
    labels: { confirm: act, cancel: "Cancel" },
    confirmProps: { color: danger ? "red" : undefined },
    onConfirm: onYes,
  });
}
