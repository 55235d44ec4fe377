import { Route, Switch } from "wouter";
import { DetailPage } from "./detail";
import { EditPage, NewPage } from "./form";
import { ListPage } from "./list";

export default function EndpointsPage() {
  return (
    <Switch>
      <Route path="/endpoints">
        <ListPage />
      </Route>
      <Route path="/endpoints/new">
        <NewPage />
      </Route>
      <Route path="/endpoints/:id">{({ id }) => <DetailPage id={id} key={id} />}</Route>
      <Route path="/endpoints/:id/edit">{({ id }) => <EditPage id={id} key={id} />}</Route>
    </Switch>
  );
}
