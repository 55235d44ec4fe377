import { Button, Group, Modal, Select, Stack } from "@mantine/core";
import dayjs from "dayjs";
import { useState } from "react";
import { TimeField } from "../parts/time-field";

const FORM = "YYYY-MM-DD HH:mm:ss";
const PAST = [
  { value: "60", label: "Last hour" },
  { value: "1440", label: "Last 24 hours" },
  { value: "10080", label: "Last 7 days" },
  { value: "43200", label: "Last 30 days" },
];

interface Props {
  from: string;
  to: string;
  onChange: (range: { from: string; to: string }) => void;
}

/** Chooses when: any time, up to now, or from one time to another. */
export function When({ from, to, onChange }: Props) {
  const [open, setOpen] = useState(false);
  const [first, setFirst] = useState<string | null>(null);
  const [last, setLast] = useState<string | null>(null);
  const own = from || to;
  const told = (at: string) => (at ? dayjs(at).format("D MMM HH:mm") : "…");
  const right = (!first || !last || dayjs(first).isBefore(last)) && (first || last);
  const choose = (value: string | null) => {
    if (value === "own") {
      setFirst(from ? dayjs(from).format(FORM) : dayjs().subtract(1, "day").format(FORM));
      setLast(to ? dayjs(to).format(FORM) : null);
      setOpen(true);
    } else if (value === null) {
      onChange({ from: "", to: "" });
    } else {
      const minutes = Number(value);
      const begin = dayjs().startOf("minute").subtract(minutes, "minute");
      onChange({ from: begin.toISOString(), to: "" });
    }
  };
  return (
    <>
      <Select
        w={own ? 230 : 150}
        aria-label="When the event was accepted"
        placeholder="Any time"
        clearable
        clearButtonProps={{ "aria-label": "Any time" }}
        data={[
          ...PAST,
          { value: "own", label: own ? `${told(from)} to ${told(to)}` : "Own range" },
        ]}
        value={own ? "own" : null}
        onChange={choose}
        onOptionSubmit={(value) => value === "own" && choose(value)}
      />
      <Modal opened={open} onClose={() => setOpen(false)} title="Own range" size="sm">
        <Stack gap="xs">
          <TimeField label="From" value={first} onChange={setFirst} />
          <TimeField label="To" description="Now, unless chosen" value={last} onChange={setLast} />
          <Group justify="flex-end">
            <Button
              size="xs"
              disabled={!right}
              onClick={() => {
                onChange({
                  from: first ? dayjs(first).toISOString() : "",
                  to: last ? dayjs(last).toISOString() : "",
                });
                setOpen(false);
              }}
            >
              Show this time
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
