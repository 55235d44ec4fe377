import { Route, Switch } from "wouter";
import { DetailPage } from "./detail";
import { JobPage } from "./jobs/job";
import { JobsPage } from "./jobs/list";
import { OverviewPage } from "./overview";

export default function DeadLettersPage() {
  return (
    <Switch>
      <Route path="/dead-letters">
        <OverviewPage />
      </Route>
      <Route path="/dead-letters/jobs">
        <JobsPage />
      </Route>
      <Route path="/dead-letters/jobs/:id">{({ id }) => <JobPage id={id} key={id} />}</Route>
      <Route path="/dead-letters/:id">{({ id }) => <DetailPage id={id} key={id} />}</Route>
    </Switch>
  );
}
