import { type Query, send } from "../../api/client";

/** Deliveries of a filter as CSV, put together from the parts that the API answers. */
export async function exported(
  filter: Query,
  tell: (rows: number) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const parts: string[] = [];
  let rows = 0;
  let after: string | null = null;
  do {
    const response: Response = await send("GET", "/deliveries/export", {
      query: { ...filter, format: "csv", after },
      signal,
    });
    const text = await response.text();
    // The first part names the columns.
    rows += text.split("\r\n").length - (parts.length === 0 ? 2 : 1);
    parts.push(text);
    tell(Math.max(rows, 0));
    after = response.headers.get("x-next-after");
  } while (after !== null);
  return new Blob(parts, { type: "text/csv" });
}

/** Hands a file to whoever looks at the page. */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
