/** How an outcome looks: its colour, its icon and its word, never the colour alone. */

import { Badge } from "@mantine/core";
import { IconCheck, IconCircleOff, IconRefresh, IconX } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { Outcome } from "./attempts";

interface Look {
  colour: string;
  word: string;
  icon: ReactNode;
}

const SIZE = 14;

export const LOOKS: Record<Outcome, Look> = {
  delivered: { colour: "teal", word: "delivered", icon: <IconCheck size={SIZE} aria-hidden /> },
  retrying: { colour: "yellow", word: "will retry", icon: <IconRefresh size={SIZE} aria-hidden /> },
  dead: { colour: "red", word: "dead", icon: <IconX size={SIZE} aria-hidden /> },
  cancelled: { colour: "gray", word: "cancelled", icon: <IconCircleOff size={SIZE} aria-hidden /> },
};

export function OutcomeBadge({ outcome }: { outcome: Outcome }) {
  const look = LOOKS[outcome];
  return (
    <Badge
      color={look.colour}
      variant="light"
      size="sm"
      radius="sm"
      tt="none"
      leftSection={look.icon}
      data-outcome={outcome}
    >
      {look.word}
    </Badge>
  );
}
