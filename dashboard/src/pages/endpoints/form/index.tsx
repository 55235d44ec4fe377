import { Skeleton } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { call } from "../../../api/client";
import { useGet } from "../../../api/hooks";
import type { Endpoint } from "../../../api/types";
import { ErrorState } from "../../../parts/error-state";
import { RequireScope } from "../../../parts/needs-scope";
import { PageHeader } from "../../../parts/page-header";
import { showSecret } from "../secret";
import { BodyPreview } from "./body-preview";
import { change, creation } from "./draft";
import { EndpointForm } from "./form";
import { fresh, type Values, valuesOf } from "./values";

export function NewPage() {
  const [, go] = useLocation();
  const client = useQueryClient();
  const save = async (values: Values) => {
    const made = await call<Endpoint>("POST", "/endpoints", { body: creation(values) });
    await client.invalidateQueries();
    go(`/endpoints/${made.id}`);
    showSecret("The endpoint is made", made.secret);
  };
  return (
    <RequireScope scope="manage" page="New endpoint">
      <PageHeader title="New endpoint" parent={{ href: "/endpoints", label: "Endpoints" }} />
      <EndpointForm initial={fresh} isNew save={save} cancel={() => go("/endpoints")} />
    </RequireScope>
  );
}

export function EditPage({ id }: { id: string }) {
  const [, go] = useLocation();
  const client = useQueryClient();
  const endpoint = useGet<Endpoint>(`/endpoints/${id}`);
  const back = () => go(`/endpoints/${id}`);
  if (endpoint.error) {
    return <ErrorState error={endpoint.error} retry={() => endpoint.refetch()} />;
  }
  if (!endpoint.data) return <Skeleton height={400} />;
  const before = valuesOf(endpoint.data);
  const save = async (values: Values) => {
    const body = change(before, values);
    if (Object.keys(body).length > 0) {
      await call<Endpoint>("PATCH", `/endpoints/${id}`, { body });
      await client.invalidateQueries();
    }
    back();
    notifications.show({ message: "Saved. It holds everywhere within seconds.", color: "teal" });
  };
  return (
    <RequireScope scope="manage" page="Edit endpoint">
      <PageHeader
        title={`Edit ${endpoint.data.name || endpoint.data.url}`}
        parent={{ href: `/endpoints/${id}`, label: endpoint.data.name || "The endpoint" }}
      />
      <EndpointForm
        key={endpoint.data.updated_at}
        initial={before}
        isNew={false}
        save={save}
        cancel={back}
        preview={(values) => (
          <BodyPreview id={id} template={values.template} eventTypes={values.event_types} />
        )}
      />
    </RequireScope>
  );
}
