import { EmptyState } from "../../parts/empty-state";
import { PageHeader } from "../../parts/page-header";

export default function EndpointsPage() {
  return (
    <>
      <PageHeader title="Endpoints" />
      <EmptyState title="Not here yet" />
    </>
  );
}
