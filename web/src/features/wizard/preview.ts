import { api, call, type Schemas } from "@/api/client";
import type { Place } from "./config";

const ROWS = 20;
const SECONDS = 20;

export type Preview = Pick<Schemas["QueryResult"], "columns" | "rows" | "truncated">;

/** The first rows of a SELECT, in a read-only session with limits of rows and time. Throws what the server says of it. */
export async function preview(place: Place, query: string): Promise<Preview> {
  const answer = await call(
    api.POST("/api/v1/connections/{connection_id}/query", {
      params: { path: { connection_id: place.connectionId } },
      body: {
        query,
        database: place.database,
        schema: place.schema,
        readOnly: true,
        resultsOnly: true,
        queryId: "",
        limits: { rows: ROWS, seconds: SECONDS, bytes: 1024 * 1024, cellBytes: 1024 },
      },
    }),
  );
  return answer.results[0] ?? { columns: [], rows: [], truncated: "" };
}
