import { EmptyState } from "../../parts/empty-state";
import { PageHeader } from "../../parts/page-header";

export default function DeliveriesPage() {
  return (
    <>
      <PageHeader title="Deliveries" />
      <EmptyState title="Not here yet" />
    </>
  );
}
