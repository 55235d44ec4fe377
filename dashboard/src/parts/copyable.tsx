import { ActionIcon, Code, CopyButton, Group, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";

interface Props {
  value: string;
  /** What it is, for the button's name: "endpoint id". */
  what?: string;
  /** Shows this many characters of its end only. */
  short?: number;
}

/** An id or another text with a button that copies it. */
export function Copyable({ value, what = "id", short }: Props) {
  const shown = short && value.length > short ? `…${value.slice(-short)}` : value;
  return (
    <Group gap={4} wrap="nowrap" style={{ minWidth: 0 }} display="inline-flex">
      <Code style={{ overflowWrap: "anywhere" }} title={value}>
        {shown}
      </Code>
      <CopyButton value={value} timeout={1500}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? "Copied" : "Copy"}>
            <ActionIcon
              size="sm"
              variant="subtle"
              color={copied ? "teal" : "gray"}
              onClick={(event) => {
                event.stopPropagation();
                event.preventDefault();
                copy();
              }}
              aria-label={copied ? `Copied ${what}` : `Copy ${what}`}
            >
              {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </Group>
  );
}
