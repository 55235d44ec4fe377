import {
  Alert,
  Button,
  Card,
  Group,
  Modal,
  PasswordInput,
  Select,
  Stack,
  Table,
  Text,
  Title,
} from "@mantine/core";
import { useState } from "react";
import { call } from "../../../api/client";
import { useAct } from "../../../api/hooks";
import { asProblem } from "../../../api/problem";
import type { Endpoint } from "../../../api/types";
import { Copyable } from "../../../parts/copyable";
import { ScopeButton } from "../../../parts/needs-scope";
import { Time } from "../../../parts/time";
import { showSecret } from "../secret";

const OVERLAPS = [
  { value: "0", label: "none: the old one stops at once" },
  { value: "3600", label: "an hour" },
  { value: "86400", label: "a day" },
  { value: "604800", label: "a week" },
];

/** What requests are signed with, and putting another in its place. */
export function SigningCard({ endpoint }: { endpoint: Endpoint }) {
  const [open, setOpen] = useState(false);
  return (
    <Card withBorder component="section" aria-label="Signing">
      <Title order={2} size="h5" mb="xs">
        Signing
      </Title>
      <Table verticalSpacing={4} horizontalSpacing={0} withRowBorders={false}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th fz="xs">Key</Table.Th>
            <Table.Th fz="xs">Signs until</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {endpoint.signing_keys.map((key, nth) => (
            <Table.Tr key={`${key.public_key ?? key.signing}${key.until ?? nth}`}>
              <Table.Td>
                {key.public_key ? (
                  <Copyable value={key.public_key} what="public key" short={16} />
                ) : (
                  <Text size="sm">
                    {nth === 0 ? "newest" : "older"}, {key.signing}
                  </Text>
                )}
              </Table.Td>
              <Table.Td fz="sm">
                <Time at={key.until} none="it is rotated" />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {!endpoint.managed_by && (
        <Group mt="sm">
          <ScopeButton scope="manage" size="xs" variant="default" onClick={() => setOpen(true)}>
            Rotate the secret
          </ScopeButton>
        </Group>
      )}
      <Modal opened={open} onClose={() => setOpen(false)} title="Rotate the secret">
        <Rotation endpoint={endpoint} close={() => setOpen(false)} />
      </Modal>
    </Card>
  );
}

function Rotation({ endpoint, close }: { endpoint: Endpoint; close: () => void }) {
  const [overlap, setOverlap] = useState("86400");
  const [signing, setSigning] = useState<string>(endpoint.signing);
  const [secret, setSecret] = useState("");
  const rotate = useAct<void, Endpoint>(
    () =>
      call<Endpoint>("POST", `/endpoints/${endpoint.id}/rotate-secret`, {
        body: {
          overlap_seconds: Number(overlap),
          ...(secret ? { secret } : { signing }),
        },
      }),
    {
      changes: ["/endpoints"],
      quiet: (problem) => problem.errors.length > 0,
      onDone: (rotated) => {
        close();
        showSecret(
          "The secret is rotated",
          rotated.secret,
          overlap === "0"
            ? "Only the new secret signs from now on."
            : "The old one signs beside it for the time that you chose: receivers can change over meanwhile.",
        );
      },
    },
  );
  const problem = rotate.error && asProblem(rotate.error);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        rotate.mutate();
      }}
    >
      <Stack>
        <Select
          label="The present secret signs on for"
          allowDeselect={false}
          data={OVERLAPS}
          value={overlap}
          onChange={(value) => setOverlap(value ?? "86400")}
          error={problem?.of("overlap_seconds")}
        />
        <PasswordInput
          label="New secret"
          description="Generated unless given"
          autoComplete="new-password"
          value={secret}
          onChange={(event) => setSecret(event.currentTarget.value)}
          error={problem?.of("secret")}
        />
        {!secret && (
          <Select
            label="Signature"
            allowDeselect={false}
            data={[
              { value: "hmac", label: "HMAC-SHA256 (v1)" },
              { value: "ed25519", label: "ed25519 (v1a)" },
            ]}
            value={signing}
            onChange={(value) => setSigning(value ?? "hmac")}
            error={problem?.of("signing")}
          />
        )}
        {overlap === "0" && (
          <Alert color="yellow" title="Receivers refuse what they cannot verify">
            Without an overlap, whoever still has the old secret fails until it is changed there.
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={rotate.isPending}>
            Rotate
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
