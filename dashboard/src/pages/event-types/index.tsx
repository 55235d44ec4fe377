import { Route, Switch } from "wouter";
import { DetailPage } from "./detail";
import { EditPage, NewPage } from "./form";
import { ImportPage } from "./import";
import { ListPage } from "./list";

export default function EventTypesPage() {
  return (
    <Switch>
      <Route path="/event-types">
        <ListPage />
      </Route>
      <Route path="/event-types/new">
        <NewPage />
      </Route>
      <Route path="/event-types/import">
        <ImportPage />
      </Route>
      <Route path="/event-types/edit/*">{(rest) => <EditPage name={nameOf(rest)} />}</Route>
      <Route path="/event-types/of/*">{(rest) => <DetailPage name={nameOf(rest)} />}</Route>
    </Switch>
  );
}

/** A name may have slashes in it. */
function nameOf(rest: { "*"?: string | undefined }): string {
  return decodeURIComponent(rest["*"] ?? "");
}
