import { EmptyState } from "../../parts/empty-state";
import { PageHeader } from "../../parts/page-header";

export default function ApiKeysPage() {
  return (
    <>
      <PageHeader title="API keys" />
      <EmptyState title="Not here yet" />
    </>
  );
}
