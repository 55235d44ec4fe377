import { Alert, Grid, Skeleton, Stack } from "@mantine/core";
import { IconInfoCircle } from "@tabler/icons-react";
import { useGet } from "../../../api/hooks";
import type { Endpoint, Health } from "../../../api/types";
import { ErrorState } from "../../../parts/error-state";
import { PageHeader } from "../../../parts/page-header";
import { Status } from "../../../parts/status";
import { Actions } from "./actions";
import { HealthCard } from "./health";
import { Latest } from "./latest";
import { Results } from "./results";
import { SettingsCard } from "./settings";
import { SigningCard } from "./signing";
import { TryOut } from "./try-out";

/** Why it cannot be changed here, or why it gets nothing. */
function Note({ endpoint }: { endpoint: Endpoint }) {
  const notes: [boolean, string, string][] = [
    [
      endpoint.managed_by === "deployment",
      "Declared by the deployment",
      "Change WebhookUrls or WebhookSettings there, and deploy.",
    ],
    [
      endpoint.managed_by === "delivery",
      "Made for deliveries to its URL",
      "It gets no events. Post deliveries with other settings to change it.",
    ],
    [
      endpoint.disabled_by === "gone",
      "Disabled because it answered 410 Gone",
      "Ask its owner for the new URL, edit it, enable it, and replay its dead letters.",
    ],
    [
      endpoint.disabled_by === "operator",
      "Disabled by hand",
      "Its events become dead letters, which can be replayed once it is enabled.",
    ],
    [
      endpoint.disabled_by === "deployment",
      "Declared no more",
      "The deployment no longer declares it: its events become dead letters.",
    ],
    [endpoint.state === "paused", "Paused", "Its events wait, and go out when it is resumed."],
  ];
  return notes
    .filter(([holds]) => holds)
    .map(([, title, text]) => (
      <Alert key={title} color="blue" variant="light" icon={<IconInfoCircle />} title={title}>
        {text}
      </Alert>
    ));
}

export function DetailPage({ id }: { id: string }) {
  const endpoint = useGet<Endpoint>(`/endpoints/${id}`, {}, { every: 30_000 });
  const health = useGet<Health>(`/endpoints/${id}/health`, {}, { every: 10_000 });
  if (endpoint.error) {
    return (
      <>
        <PageHeader title="Endpoint" parent={{ href: "/endpoints", label: "Endpoints" }} />
        <ErrorState error={endpoint.error} retry={() => endpoint.refetch()} />
      </>
    );
  }
  if (!endpoint.data) return <Skeleton height={480} />;
  const shown = endpoint.data;
  return (
    <>
      <PageHeader
        title={shown.name || shown.url}
        about={shown.description || undefined}
        parent={{ href: "/endpoints", label: "Endpoints" }}
        badge={<Status state={shown.state} size="md" />}
        actions={<Actions endpoint={shown} />}
      />
      <Stack gap="md">
        <Note endpoint={shown} />
        <Grid gap="md">
          <Grid.Col span={{ base: 12, lg: 8 }}>
            <Stack gap="md">
              <Results id={id} />
              <Latest id={id} />
              <TryOut endpoint={shown} />
            </Stack>
          </Grid.Col>
          <Grid.Col span={{ base: 12, lg: 4 }}>
            <Stack gap="md">
              {health.error ? (
                <ErrorState error={health.error} retry={() => health.refetch()} />
              ) : health.data ? (
                <HealthCard health={health.data} />
              ) : (
                <Skeleton height={220} />
              )}
              <SettingsCard endpoint={shown} />
              <SigningCard endpoint={shown} />
            </Stack>
          </Grid.Col>
        </Grid>
      </Stack>
    </>
  );
}
