import { EmptyState } from "../../parts/empty-state";
import { PageHeader } from "../../parts/page-header";

export default function AuditPage() {
  return (
    <>
      <PageHeader title="Audit" />
      <EmptyState title="Not here yet" />
    </>
  );
}
