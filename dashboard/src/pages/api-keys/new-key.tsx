import {
  Alert,
  Button,
  Checkbox,
  Group,
  Modal,
  NumberInput,
  Select,
  Stack,
  TagsInput,
  Text,
  TextInput,
} from "@mantine/core";
import dayjs from "dayjs";
import { useState } from "react";
import { call } from "../../api/client";
import { useAct } from "../../api/hooks";
import { asProblem } from "../../api/problem";
import type { Scope } from "../../api/types";
import { useSession } from "../../session/session";
import { showKey } from "./shown-once";

const SCOPES: { scope: Scope; means: string }[] = [
  { scope: "publish", means: "posts events: for back ends" },
  { scope: "read", means: "sees everything but secrets: for dashboards and support" },
  { scope: "manage", means: "changes endpoints, retries, replays; sees what read sees" },
  { scope: "admin", means: "makes keys and reads the audit log; may do all of it" },
];
const ENDS = [
  { value: "", label: "never" },
  { value: "1", label: "in a day" },
  { value: "30", label: "in 30 days" },
  { value: "90", label: "in 90 days" },
  { value: "365", label: "in a year" },
];

interface Made {
  id: string;
  key?: string | null;
}

/** Makes a key, which is shown once. */
export function NewKey({ close }: { close: () => void }) {
  const { caller, deployment } = useSession();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>(["publish"]);
  const [all, setAll] = useState(false);
  const [networks, setNetworks] = useState<string[]>([]);
  const [limit, setLimit] = useState<number | string>("");
  const [ends, setEnds] = useState("");
  const make = useAct<void, Made>(
    () =>
      call<Made>("POST", "/api-keys", {
        body: {
          name: name.trim(),
          scopes,
          ...(all && { all_tenants: true }),
          networks,
          ...(limit !== "" && { requests_per_second: Number(limit) }),
          ...(ends && { expires_at: dayjs().add(Number(ends), "day").toISOString() }),
        },
      }),
    {
      changes: ["/api-keys"],
      quiet: () => true,
      onDone: (made) => {
        close();
        showKey(made.key);
      },
    },
  );
  const problem = make.error && asProblem(make.error);
  const told = ["name", "scopes", "networks", "requests_per_second", "expires_at"];
  const elsewhere = problem && !problem.errors.some(({ field }) => told.includes(field));
  return (
    <Modal opened onClose={close} title="New API key" size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <Stack>
          {elsewhere && (
            <Alert color="red" title={problem.title} role="alert">
              {problem.detail}
            </Alert>
          )}
          <TextInput
            label="Name"
            description="Who or what uses it"
            placeholder="shop back end"
            maxLength={100}
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={problem?.of("name")}
          />
          <Checkbox.Group
            label="May"
            required
            value={scopes}
            onChange={setScopes}
            error={problem?.of("scopes")}
          >
            <Stack gap={6} mt={4}>
              {SCOPES.map(({ scope, means }) => (
                <Checkbox key={scope} value={scope} label={scope} description={means} />
              ))}
            </Stack>
          </Checkbox.Group>
          {caller.all_tenants ? (
            <Checkbox
              label="Speaks for all tenants"
              description={`Otherwise for ${caller.tenant} only. To make one for another tenant, choose it above first.`}
              checked={all}
              onChange={(event) => setAll(event.currentTarget.checked)}
            />
          ) : (
            <Text size="sm">
              It speaks for the tenant <b>{caller.tenant}</b>.
            </Text>
          )}
          <TagsInput
            label="Networks"
            description="Where its calls may come from; from anywhere if none is named"
            placeholder={networks.length ? "" : "203.0.113.0/24, then Enter"}
            value={networks}
            onChange={setNetworks}
            error={problem?.errors.find(({ field }) => field.startsWith("networks"))?.rule}
          />
          <Group grow align="flex-start">
            <NumberInput
              label="Calls a second"
              description="As many as it likes, unless set"
              min={1}
              max={10_000}
              allowDecimal={false}
              value={limit}
              onChange={setLimit}
              error={problem?.of("requests_per_second")}
            />
            <Select
              label="Ends"
              description="It is refused from then on"
              allowDeselect={false}
              data={ENDS}
              value={ends}
              onChange={(value) => setEnds(value ?? "")}
              error={problem?.of("expires_at")}
            />
          </Group>
          {deployment.auth === "off" && (
            <Text size="xs" c="dimmed">
              This deployment asks for no keys: one made now counts once it does.
            </Text>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={scopes.length === 0} loading={make.isPending}>
              Make the key
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
