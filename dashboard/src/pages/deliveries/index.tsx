import { Route, Switch } from "wouter";
import { DetailPage } from "./detail";
import { ListPage } from "./list";

export default function DeliveriesPage() {
  return (
    <Switch>
      <Route path="/deliveries">
        <ListPage />
      </Route>
      <Route path="/deliveries/:id">{({ id }) => <DetailPage id={id} key={id} />}</Route>
    </Switch>
  );
}
