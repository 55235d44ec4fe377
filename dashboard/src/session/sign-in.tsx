import {
  Alert,
  Anchor,
  Button,
  Center,
  Group,
  Image,
  Paper,
  PasswordInput,
  Stack,
  Text,
  Title,
} from "@mantine/core";
import { IconAlertCircle } from "@tabler/icons-react";
import { useState } from "react";
import { type Problem, remedy } from "../api/problem";
import { useTitle } from "../parts/title";

interface Props {
  /** Whether a key was sent that is not known, or no longer. */
  refused: boolean;
  problem?: Problem;
  begin: (credential: string) => void;
}

export function SignIn({ refused, problem, begin }: Props) {
  useTitle("Sign in");
  const [value, setValue] = useState("");
  const key = value.trim();
  return (
    <Center component="main" mih="100vh" p="md">
      <Paper withBorder shadow="sm" p="xl" w="100%" maw={460}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (key) begin(key);
          }}
        >
          <Stack>
            <Group gap="sm">
              <Image src="/dashboard/icon.svg" w={36} h={36} alt="" />
              <Title order={1} size="h2">
                Sign in to Hookpost
              </Title>
            </Group>
            {refused && (
              <Alert
                color="red"
                icon={<IconAlertCircle />}
                title="This key is not known"
                role="alert"
              >
                It is mistyped, revoked, or has expired. Tokens live for an hour unless made for
                longer: ask for a new one, or sign in with an API key.
              </Alert>
            )}
            {problem && (
              <Alert color="red" icon={<IconAlertCircle />} title={problem.title} role="alert">
                {problem.detail}. {remedy(problem)}
              </Alert>
            )}
            <PasswordInput
              label="API key or token"
              description="It needs the scope read. It stays in this tab and is gone when you close it."
              placeholder="hk_..."
              autoComplete="off"
              data-autofocus
              autoFocus
              required
              value={value}
              onChange={(event) => setValue(event.currentTarget.value)}
            />
            <Button type="submit" disabled={!key}>
              Sign in
            </Button>
            <Text size="sm" c="dimmed">
              The stack's output AdminKeyCommand prints a deployment's first key. For people of one
              tenant, make a short-lived token with <code>POST /api/v1/tokens</code> and give them
              the link <code>/dashboard#token=...</code> (
              <Anchor href="/docs" inherit underline="always">
                the API's calls
              </Anchor>
              ).
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}
