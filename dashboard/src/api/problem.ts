/** One field that breaks its rule. */
export interface FieldError {
  field: string;
  rule: string;
}

/** An answer that is an error, as the API's problem details (RFC 9457) tell it. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly errors: FieldError[] = [],
  ) {
    super(detail || title);
    this.name = "Problem";
  }

  /** No answer at all. */
  static unreachable(): Problem {
    return new Problem(0, "No answer", "The API could not be reached.");
  }

  static async from(response: Response): Promise<Problem> {
    const told = await response.json().catch(() => ({}));
    const title = typeof told.title === "string" ? told.title : `Answered ${response.status}`;
    const detail = typeof told.detail === "string" ? told.detail : (told.message ?? "");
    const errors = Array.isArray(told.errors) ? told.errors : [];
    return new Problem(response.status, title, detail, errors);
  }

  /** The rule that this field breaks, if it breaks one. */
  of(field: string): string | undefined {
    return this.errors.find((error) => error.field === field)?.rule;
  }
}

/** Anything that was thrown, as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new Problem(-1, "The page failed", text);
}

/** What whoever sees a problem can do about it. */
export function remedy(problem: Problem): string {
  switch (problem.status) {
    case 0:
      return "Check your connection, and that the deployment is up (GET /health), then try again.";
    case 401:
      return "Sign in with a key that is active.";
    case 403:
      return "Sign in with a key that may do this, or ask an administrator for one.";
    case 404:
      return "It may have been deleted, have expired, or be another tenant's: check the tenant above.";
    case 409:
      return "Somebody else has changed it meanwhile, or it cannot be as it stands: load it again.";
    case 413:
    case 422:
      return "Change what is named, and try again.";
    case 429:
      return "Wait a few seconds, and try again.";
    case 503:
      return "A service this depends on did not answer. Try again; if it lasts, look at the function's logs.";
    default:
      return "Try again; if it lasts, look at the admin function's logs in CloudWatch.";
  }
}
