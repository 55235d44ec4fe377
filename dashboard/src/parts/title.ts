import { useEffect } from "react";

/** Sets the document's title: what a screen reader says of a new page, and what a tab is called. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Hookpost`;
  }, [title]);
}
