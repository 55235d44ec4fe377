import { Badge, type MantineColor, type MantineSize } from "@mantine/core";

/** How each state of anything looks: one colour a meaning, everywhere. */
const COLORS: Record<string, MantineColor> = {
  // endpoints and keys
  active: "teal",
  paused: "yellow",
  disabled: "gray",
  revoked: "gray",
  expired: "gray",
  // breakers
  closed: "teal",
  open: "red",
  half_open: "orange",
  // deliveries
  delivered: "teal",
  pending: "blue",
  queued: "blue",
  in_queue: "blue",
  scheduled: "blue",
  retrying: "yellow",
  waiting: "yellow",
  parked: "yellow",
  held: "orange",
  failed: "red",
  dead: "red",
  dead_lettered: "red",
  cancelled: "gray",
  resolved: "gray",
  // jobs
  running: "blue",
  done: "teal",
};

interface Props {
  state: string;
  /** Instead of the state's own name. */
  label?: string;
  size?: MantineSize;
}

export function Status({ state, label, size = "sm" }: Props) {
  return (
    <Badge
      color={COLORS[state] ?? "gray"}
      variant="light"
      size={size}
      radius="sm"
      tt="none"
      miw="max-content"
    >
      {label ?? state.replaceAll("_", " ")}
    </Badge>
  );
}
