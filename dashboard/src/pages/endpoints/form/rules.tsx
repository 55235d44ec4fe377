import { Button, Card, Group, Input, Select, Stack, TagsInput, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { type Form, Side } from "./fields";

const CLASSES = ["2xx", "3xx", "4xx", "5xx"];

/** What answers mean, where HTTP says otherwise. */
export function Rules({ form }: { form: Form }) {
  return (
    <Input.Wrapper
      label="What answers mean"
      labelElement="div"
      description="The first rule that fits decides, where HTTP says otherwise: such as a 200 whose body says that it failed."
      error={form.errors.response_rules}
    >
      <Stack gap="sm" mt={6}>
        {form.values.response_rules.map((_, nth) => {
          const at = (field: string) => form.getInputProps(`response_rules.${nth}.${field}`);
          return (
            <Card
              // biome-ignore lint/suspicious/noArrayIndexKey: rules have nothing else that stays the same
              key={nth}
              withBorder
              padding="sm"
              component="fieldset"
              aria-label={`Rule ${nth + 1}`}
            >
              <Stack gap="xs">
                <Side>
                  <TagsInput
                    label="Status"
                    placeholder="200, 4xx"
                    data={CLASSES}
                    {...at("status")}
                  />
                  <TextInput label="Body contains" placeholder="error" {...at("body_contains")} />
                </Side>
                <Side>
                  <TextInput
                    label="JSON pointer into the body"
                    placeholder="/result/ok"
                    {...at("pointer")}
                  />
                  <TextInput label="equals (JSON)" placeholder="false" {...at("equals")} />
                </Side>
                <Group justify="space-between" align="flex-end">
                  <Select
                    label="Then"
                    allowDeselect={false}
                    data={[
                      { value: "retry", label: "it failed: try again" },
                      { value: "fail", label: "it failed for good" },
                      { value: "succeed", label: "it succeeded" },
                    ]}
                    {...at("meaning")}
                  />
                  <Button
                    size="xs"
                    variant="subtle"
                    color="gray"
                    leftSection={<IconTrash size={14} aria-hidden />}
                    onClick={() => form.removeListItem("response_rules", nth)}
                  >
                    Remove rule {nth + 1}
                  </Button>
                </Group>
              </Stack>
            </Card>
          );
        })}
        <Group>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() =>
              form.insertListItem("response_rules", {
                status: ["2xx"],
                body_contains: "",
                pointer: "",
                equals: "",
                meaning: "retry",
              })
            }
          >
            Add a rule
          </Button>
        </Group>
      </Stack>
    </Input.Wrapper>
  );
}
