import { EmptyState } from "../../parts/empty-state";
import { PageHeader } from "../../parts/page-header";

export default function EventTypesPage() {
  return (
    <>
      <PageHeader title="Event types" />
      <EmptyState title="Not here yet" />
    </>
  );
}
