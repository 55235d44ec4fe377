import { Button, Group, Popover, SegmentedControl, Stack } from "@mantine/core";
import { IconCalendar } from "@tabler/icons-react";
import dayjs from "dayjs";
import { useState } from "react";
import { bounds, PRESETS, type Range } from "./range";
import { TimeField } from "./time-field";

interface Props {
  value: Range;
  onChange: (range: Range) => void;
}

/** Chooses a time to look at. */
export function RangePicker({ value, onChange }: Props) {
  const [open, setOpen] = useState(false);
  const own = "from" in value;
  const preset = own ? "" : PRESETS.find((one) => one.minutes === value.minutes)?.name;
  const [from, setFrom] = useState<string | null>(null);
  const [to, setTo] = useState<string | null>(null);
  const show = () => {
    const now = bounds(value);
    setFrom(now.from);
    setTo(now.to);
    setOpen(true);
  };
  const right = from !== null && to !== null && dayjs(from).isBefore(to);
  return (
    <Group gap="xs">
      <SegmentedControl
        size="xs"
        aria-label="Time to look at"
        value={preset ?? ""}
        onChange={(name) => {
          const chosen = PRESETS.find((one) => one.name === name);
          if (chosen) onChange({ minutes: chosen.minutes });
        }}
        data={PRESETS.map((one) => ({ value: one.name, label: one.label }))}
      />
      <Popover opened={open} onChange={setOpen} position="bottom-end" withArrow trapFocus>
        <Popover.Target>
          <Button
            size="xs"
            variant={own ? "light" : "default"}
            leftSection={<IconCalendar size={14} aria-hidden />}
            onClick={() => (open ? setOpen(false) : show())}
          >
            {own
              ? `${dayjs(value.from).format("D MMM HH:mm")} to ${dayjs(value.to).format("D MMM HH:mm")}`
              : "Own range"}
          </Button>
        </Popover.Target>
        <Popover.Dropdown>
          <Stack gap="xs">
            <TimeField label="From" value={from} onChange={setFrom} />
            <TimeField
              label="To"
              value={to}
              onChange={setTo}
              error={!right && from !== null && to !== null && "must be after From"}
            />
            <Button
              size="xs"
              disabled={!right}
              onClick={() => {
                if (!right) return;
                onChange({ from: dayjs(from).toISOString(), to: dayjs(to).toISOString() });
                setOpen(false);
              }}
            >
              Show this time
            </Button>
          </Stack>
        </Popover.Dropdown>
      </Popover>
    </Group>
  );
}
