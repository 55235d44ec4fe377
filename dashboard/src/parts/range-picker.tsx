import { Button, Group, Popover, SegmentedControl, Stack, TextInput } from "@mantine/core";
import { IconCalendar } from "@tabler/icons-react";
import dayjs from "dayjs";
import { useState } from "react";
import { bounds, PRESETS, type Range } from "./range";

interface Props {
  value: Range;
  onChange: (range: Range) => void;
}

/** What the browser's own field for a time reads and says. */
const FORM = "YYYY-MM-DDTHH:mm";

/** Chooses a time to look at. */
export function RangePicker({ value, onChange }: Props) {
  const [open, setOpen] = useState(false);
  const own = "from" in value;
  const preset = own ? "" : PRESETS.find((one) => one.minutes === value.minutes)?.name;
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const show = () => {
    const now = bounds(value);
    setFrom(dayjs(now.from).format(FORM));
    setTo(dayjs(now.to).format(FORM));
    setOpen(true);
  };
  const right = from !== "" && to !== "" && dayjs(from).isBefore(to);
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
            <TextInput
              type="datetime-local"
              label="From"
              value={from}
              onChange={(event) => setFrom(event.currentTarget.value)}
            />
            <TextInput
              type="datetime-local"
              label="To"
              value={to}
              onChange={(event) => setTo(event.currentTarget.value)}
              error={!right && from !== "" && to !== "" && "must be after From"}
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
