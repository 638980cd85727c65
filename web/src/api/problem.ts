import type { components } from "./schema.gen";

type ProblemBody = components["schemas"]["Problem"];

/** An error of the API, or of the way to it (`unreachable`, status 0). Its message and remedy are the server's own words. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly remedy: string;
  readonly field: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly details: Readonly<Record<string, unknown>>;
  readonly requestId: string;

  constructor(status: number, body: Partial<ProblemBody>, requestId = "") {
    super(body.message || body.error || `the server answered ${status}`);
    this.name = "Problem";
    this.status = status;
    this.code = body.code ?? "";
    this.remedy = body.remedy ?? "";
    this.field = body.field ?? "";
    this.fields = body.fields ?? {};
    this.details = body.details ?? {};
    this.requestId = requestId;
  }
}

export function unreachable(): Problem {
  return new Problem(0, {
    message: "the server does not answer",
    remedy: "look whether mainstem serve runs; this page goes on by itself when it does",
    code: "unreachable",
  });
}

/** Whatever was thrown, as a Problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Problem(-1, { message, code: "page_error", remedy: "load the page again" });
}

/** The Problem that an answer which is no success tells of. */
export async function problemOfResponse(response: Response): Promise<Problem> {
  const id = response.headers.get("x-request-id") ?? "";
  try {
    const body: unknown = await response.json();
    return new Problem(response.status, (typeof body === "object" && body) || {}, id);
  } catch {
    return new Problem(response.status, {}, id);
  }
}
