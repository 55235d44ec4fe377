import { Alert, Button, Code, CopyButton, Group, Stack } from "@mantine/core";
import { modals } from "@mantine/modals";
import { IconCheck, IconCopy, IconKey } from "@tabler/icons-react";

/** Shows a key that has just been made: nothing shows it again. */
export function showKey(key: string | null | undefined): void {
  if (!key) return;
  const id = modals.open({
    title: "The key is made",
    size: "lg",
    closeOnClickOutside: false,
    closeOnEscape: false,
    withCloseButton: false,
    children: (
      <Stack>
        <Alert color="yellow" icon={<IconKey />} title="Copy it now">
          It is shown this once; only its hash is stored. Put it where its user keeps secrets.
        </Alert>
        <Code block aria-label="Key" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
          {key}
        </Code>
        <Group justify="flex-end">
          <CopyButton value={key}>
            {({ copied, copy }) => (
              <Button
                data-autofocus
                variant="default"
                leftSection={
                  copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />
                }
                onClick={copy}
              >
                {copied ? "Copied" : "Copy the key"}
              </Button>
            )}
          </CopyButton>
          <Button onClick={() => modals.close(id)}>I have kept it</Button>
        </Group>
      </Stack>
    ),
  });
}
