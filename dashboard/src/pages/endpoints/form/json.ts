/** A field that cannot even be sent. */
export class FieldTrouble extends Error {
  constructor(
    readonly field: string,
    readonly rule: string,
  ) {
    super(`${field} ${rule}`);
  }
}

/** A text as JSON; null if it is empty. */
export function parsed(field: string, text: string): unknown {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : "it cannot be read";
    throw new FieldTrouble(field, `is not JSON: ${why}`);
  }
}
