import { EmptyState } from "../../parts/empty-state";
import { PageHeader } from "../../parts/page-header";

export default function DeadLettersPage() {
  return (
    <>
      <PageHeader title="Dead letters" />
      <EmptyState title="Not here yet" />
    </>
  );
}
