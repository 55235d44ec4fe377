import { Anchor, Box, Group, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { useTitle } from "./title";

interface Props {
  title: string;
  /** What this page is for, in a sentence. */
  about?: ReactNode;
  /** Where it belongs: a list that it is one of. */
  parent?: { href: string; label: string };
  /** What can be done here. */
  actions?: ReactNode;
  /** Beside the title: a state. */
  badge?: ReactNode;
}

export function PageHeader({ title, about, parent, actions, badge }: Props) {
  useTitle(title);
  return (
    <Group justify="space-between" align="flex-start" mb="lg" gap="sm">
      <Box style={{ minWidth: 0 }}>
        {parent && (
          <Anchor component={Link} href={parent.href} size="sm">
            {"‹ "}
            {parent.label}
          </Anchor>
        )}
        <Group gap="sm">
          <Title order={1} size="h2" style={{ overflowWrap: "anywhere" }}>
            {title}
          </Title>
          {badge}
        </Group>
        {about && (
          <Text c="dimmed" size="sm" mt={2} maw={720}>
            {about}
          </Text>
        )}
      </Box>
      {actions && <Group gap="xs">{actions}</Group>}
    </Group>
  );
}
