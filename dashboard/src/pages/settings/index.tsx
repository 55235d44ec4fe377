import {
  Anchor,
  Card,
  Grid,
  List,
  Skeleton,
  Stack,
  Switch,
  Text,
  Title,
  Tooltip,
} from "@mantine/core";
import { call } from "../../api/client";
import { useAct, useGet } from "../../api/hooks";
import type { DeploymentSettings, TenantSettings as Settings } from "../../api/types";
import { ErrorState } from "../../parts/error-state";
import { Facts } from "../../parts/facts";
import { count } from "../../parts/format";
import { PageHeader } from "../../parts/page-header";
import { ScheduleShown } from "../../parts/schedule-shown";
import { useSession } from "../../session/session";

/** What the tenant has set for all of its events. */
function TenantSettings() {
  const { may, caller } = useSession();
  const settings = useGet<Settings>("/settings");
  const change = useAct((body: Partial<Settings>) => call("PATCH", "/settings", { body }), {
    done: "Saved.",
    changes: ["/settings"],
  });
  const manages = may("manage");
  const { data } = settings;
  const toggle = (
    field: "strict_event_types" | "public_catalogue",
    label: string,
    about: string,
  ) => (
    <Tooltip
      label="Needs the scope manage"
      disabled={manages}
      events={{ hover: true, focus: true, touch: true }}
    >
      <div>
        <Switch
          label={label}
          description={manages ? about : `${about} Needs the scope manage.`}
          checked={data?.[field] ?? false}
          disabled={!manages || change.isPending}
          onChange={(event) => change.mutate({ [field]: event.currentTarget.checked })}
        />
      </div>
    </Tooltip>
  );
  return (
    <Card withBorder component="section" aria-label="Tenant">
      <Title order={2} size="h5" mb="sm">
        Tenant {caller.tenant}
      </Title>
      {settings.error && <ErrorState error={settings.error} retry={() => settings.refetch()} />}
      {!data && !settings.error && <Skeleton height={90} />}
      {data && (
        <Stack>
          {toggle(
            "strict_event_types",
            "Take known event types only",
            "Events of types that are not in the catalogue, or do not fit their schema, are refused.",
          )}
          {toggle(
            "public_catalogue",
            "Let anybody read the catalogue",
            "Receivers can read what events there are without a key.",
          )}
          {data.public_catalogue && (
            <Anchor href={`/catalogue/${data.tenant}`} size="sm">
              The public catalogue
            </Anchor>
          )}
        </Stack>
      )}
    </Card>
  );
}

function You() {
  const { caller, signedIn } = useSession();
  return (
    <Facts
      title="You"
      rows={[
        ["Signed in as", signedIn ? caller.actor : "anybody: this deployment asks for no key"],
        [
          "Tenant",
          caller.all_tenants ? `${caller.tenant}; you may look at others, above` : caller.tenant,
        ],
        ["May", caller.scopes.join(", ")],
      ]}
    />
  );
}

export default function SettingsPage() {
  const deployment = useGet<DeploymentSettings>("/deployment");
  const { data } = deployment;
  return (
    <>
      <PageHeader
        title="Settings"
        about="What holds for all of a tenant's events, and for the deployment."
      />
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Stack gap="md">
            <TenantSettings />
            <You />
            <Card withBorder component="section" aria-label="To read">
              <Title order={2} size="h5" mb="xs">
                To read
              </Title>
              <List size="sm" spacing={4}>
                <List.Item>
                  <Anchor href="/docs" inherit underline="always">
                    Every call of the API
                  </Anchor>
                  , with its fields and answers
                </List.Item>
                <List.Item>
                  <Anchor href="/openapi.json" inherit underline="always">
                    OpenAPI 3.1
                  </Anchor>
                  , for your tools
                </List.Item>
                <List.Item>
                  <code>GET /metrics</code>, for Prometheus
                </List.Item>
              </List>
            </Card>
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 6 }}>
          {deployment.error && (
            <ErrorState error={deployment.error} retry={() => deployment.refetch()} />
          )}
          {!data && !deployment.error && <Skeleton height={320} />}
          {data && (
            <Facts
              title="Deployment"
              rows={[
                ["Version", data.version],
                ["Calls", data.auth_required ? "need a key" : "need no key"],
                ["Retries", <ScheduleShown key="retry" retry={data.retry} />],
                [
                  "Rate of all",
                  data.deliveries_per_second
                    ? `${count(data.deliveries_per_second)} requests a second`
                    : "no limit",
                ],
                [
                  "In the queue",
                  `waits of up to ${Math.round(data.park_after_seconds / 60)} min; longer ones in the table`,
                ],
                [
                  "Given up after",
                  `${count(data.max_age_hours)} h, or its schedule where that is longer`,
                ],
                ["Endpoints", `at most ${count(data.max_endpoints)} a tenant`],
                ["Events kept", `${count(data.retention_days)} days`],
                ["Audit log kept", `${count(data.audit_retention_days)} days`],
                ["Dead-letter queue", `keeps messages ${count(data.dlq_retention_days)} days`],
              ]}
            >
              <Text size="xs" c="dimmed" mt="sm">
                These are the stack's parameters: change them by deploying.
              </Text>
            </Facts>
          )}
        </Grid.Col>
      </Grid>
    </>
  );
}
