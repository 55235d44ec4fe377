import { Alert, Button, Code, CopyButton, Group, Stack, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { IconCheck, IconCopy, IconKey } from "@tabler/icons-react";

/** Shows a secret, which the API shows once. */
export function showSecret(title: string, secret: string | null | undefined, about?: string): void {
  if (!secret) return;
  const id = modals.open({
    title,
    size: "lg",
    closeOnClickOutside: false,
    closeOnEscape: false,
    withCloseButton: false,
    children: (
      <Stack>
        <Alert color="yellow" icon={<IconKey />} title="Copy its secret now">
          It is shown this once. Whoever receives the webhooks checks their signatures with it.
        </Alert>
        {about && <Text size="sm">{about}</Text>}
        <Code
          block
          aria-label="Secret"
          style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}
        >
          {secret}
        </Code>
        <Group justify="flex-end">
          <CopyButton value={secret}>
            {({ copied, copy }) => (
              <Button
                data-autofocus
                variant="default"
                leftSection={
                  copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />
                }
                onClick={copy}
              >
                {copied ? "Copied" : "Copy the secret"}
              </Button>
            )}
          </CopyButton>
          <Button onClick={() => modals.close(id)}>I have kept it</Button>
        </Group>
      </Stack>
    ),
  });
}
