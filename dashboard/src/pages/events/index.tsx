import { EmptyState } from "../../parts/empty-state";
import { PageHeader } from "../../parts/page-header";

export default function EventsPage() {
  return (
    <>
      <PageHeader title="Events" />
      <EmptyState title="Not here yet" />
    </>
  );
}
