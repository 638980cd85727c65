import createClient from "openapi-fetch";
import { Problem } from "./problem";
import type { components, paths } from "./schema.gen";
import { sessionFetch } from "./session";

/** Types of the API's answers, by name. */
export type Schemas = components["schemas"];

/** The API, typed by the server's own description: `await call(api.GET("/api/v1/connections"))`. */
export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: sessionFetch });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The answer's data; throws the `Problem` of one that is no success. */
export async function call<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) {
    const body = typeof error === "object" && error !== null ? error : {};
    throw new Problem(response.status, body, response.headers.get("x-request-id") ?? "");
  }
  return data as T;
}
