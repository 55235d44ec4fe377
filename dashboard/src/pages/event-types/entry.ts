import type { Answer } from "../../api/types";

export type EventType = Answer<"listEventTypes">["data"][number];

/** The path of a type in the API: a name's slashes are parts of it. */
export const apiPath = (name: string): string =>
  `/event-types/${name.split("/").map(encodeURIComponent).join("/")}`;

/** The place of a type's page. */
export const place = (name: string, what: "of" | "edit" = "of"): string =>
  `/event-types/${what}/${name.split("/").map(encodeURIComponent).join("/")}`;
