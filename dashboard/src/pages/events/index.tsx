import { Route, Switch } from "wouter";
import { DetailPage } from "./detail";
import { ListPage } from "./list";
import { NewPage } from "./new";

export default function EventsPage() {
  return (
    <Switch>
      <Route path="/events">
        <ListPage />
      </Route>
      <Route path="/events/new">
        <NewPage />
      </Route>
      <Route path="/events/:id">{({ id }) => <DetailPage id={id} key={id} />}</Route>
    </Switch>
  );
}
