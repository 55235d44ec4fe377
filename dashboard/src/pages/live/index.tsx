import { EmptyState } from "../../parts/empty-state";
import { PageHeader } from "../../parts/page-header";

export default function LivePage() {
  return (
    <>
      <PageHeader title="Live" />
      <EmptyState title="Not here yet" />
    </>
  );
}
