import {
  ActionIcon,
  Button,
  Card,
  Grid,
  Group,
  Input,
  JsonInput,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { Values } from "./values";

export type Form = UseFormReturnType<Values>;

/** A group of settings under a heading. */
export function Section(props: { title: string; about?: string; children: ReactNode }) {
  return (
    <Card withBorder component="section" aria-label={props.title} padding="lg">
      <Title order={2} size="h4">
        {props.title}
      </Title>
      {props.about && (
        <Text size="sm" c="dimmed">
          {props.about}
        </Text>
      )}
      <Stack mt="md" gap="md">
        {props.children}
      </Stack>
    </Card>
  );
}

/** Names and values: headers, metadata. */
export function Pairs(props: {
  form: Form;
  field: "headers" | "metadata";
  label: string;
  description: string;
  names: string;
  values: string;
}) {
  const { form, field, label } = props;
  return (
    <Input.Wrapper
      label={label}
      labelElement="div"
      description={props.description}
      error={form.errors[field]}
    >
      <Stack gap="xs" mt={6}>
        {form.values[field].map((_, nth) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they have nothing else that stays the same
          <Group key={nth} gap="xs" wrap="nowrap" align="flex-start">
            <TextInput
              flex={1}
              aria-label={`${label}: name ${nth + 1}`}
              placeholder={props.names}
              {...form.getInputProps(`${field}.${nth}.key`)}
            />
            <TextInput
              flex={2}
              aria-label={`${label}: value ${nth + 1}`}
              placeholder={props.values}
              {...form.getInputProps(`${field}.${nth}.value`)}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              size={36}
              aria-label={`Remove ${label.toLowerCase()} ${nth + 1}`}
              onClick={() => form.removeListItem(field, nth)}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        ))}
        <Group>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => form.insertListItem(field, { key: "", value: "" })}
          >
            Add to {label.toLowerCase()}
          </Button>
        </Group>
      </Stack>
    </Input.Wrapper>
  );
}

/** A text that has to be JSON. */
export function Json(props: {
  form: Form;
  field: "filter" | "template";
  label: string;
  description: ReactNode;
  placeholder: string;
}) {
  return (
    <JsonInput
      label={props.label}
      description={props.description}
      placeholder={props.placeholder}
      formatOnBlur
      autosize
      minRows={4}
      maxRows={20}
      styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
      {...props.form.getInputProps(props.field)}
    />
  );
}

/** Fields side by side where there is room. */
export function Side({ children }: { children: ReactNode[] }) {
  return (
    <Grid gap="md">
      {children.map((child, nth) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they never change places
        <Grid.Col key={nth} span={{ base: 12, sm: Math.floor(12 / children.length) }}>
          {child}
        </Grid.Col>
      ))}
    </Grid>
  );
}
