import { Alert, Button, Group, List, Text } from "@mantine/core";
import { IconAlertTriangle, IconRefresh } from "@tabler/icons-react";
import { asProblem, remedy } from "../api/problem";

interface Props {
  error: unknown;
  /** Tries again. */
  retry?: () => unknown;
  retryLabel?: string;
}

/** Says what went wrong, and what to do about it. */
export function ErrorState({ error, retry, retryLabel = "Try again" }: Props) {
  const problem = asProblem(error);
  return (
    <Alert
      color="red"
      variant="light"
      icon={<IconAlertTriangle />}
      title={problem.title}
      role="alert"
      my="md"
    >
      {problem.detail && <Text size="sm">{problem.detail}</Text>}
      {problem.errors.length > 1 && (
        <List size="sm">
          {problem.errors.map(({ field, rule }) => (
            <List.Item key={field}>
              <code>{field}</code> {rule}
            </List.Item>
          ))}
        </List>
      )}
      <Text size="sm">{remedy(problem)}</Text>
      {retry && (
        <Group mt="sm">
          <Button
            size="xs"
            variant="default"
            leftSection={<IconRefresh size={14} aria-hidden />}
            onClick={() => retry()}
          >
            {retryLabel}
          </Button>
        </Group>
      )}
    </Alert>
  );
}
