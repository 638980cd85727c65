import { useQuery } from "@tanstack/react-query";
import { ChevronFirst, ChevronLast, ChevronLeft, ChevronRight } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { Schemas } from "@/api/client";
import { Button, IconButton } from "@/ui/Button";
import { Input, Select } from "@/ui/Field";
import { count, plural } from "@/ui/numbers";
import type { ObjectPlace } from "../place";
import { explorerQueries } from "../queries";
import styles from "./Data.module.css";
import { SIZES, type useRowsState } from "./rowsState";

const SHORTLY_S = 3;
const PATIENCE_S = 60;
const COUNTED_AT_ONCE = 200_000; // estimated rows, up to which counting costs nothing to speak of

interface Props {
  place: ObjectPlace;
  page: Schemas["Rows"];
  state: ReturnType<typeof useRowsState>;
}

/** Which rows are shown, of how many, and the way to others. */
export function Pager({ place, page, state }: Props) {
  const { asked } = state;
  const [wanted, setWanted] = useState(false);
  const guess = useQuery(explorerQueries.count(place, asked.filter, asked.where, false));
  const filtered = asked.filter !== "" || asked.where !== "";
  const small = guess.data !== undefined && guess.data.count <= COUNTED_AT_ONCE;
  // Of a filter, the database's guess may be that of the whole table: it is counted at once, as far as that goes.
  const exact = useQuery({
    ...explorerQueries.count(place, asked.filter, asked.where, true, wanted ? PATIENCE_S : SHORTLY_S),
    enabled: small || wanted || filtered,
  });
  const total = exact.data?.exact ? exact.data.count : undefined;
  const about = exact.data?.count ?? guess.data?.count;
  const estimate = `${filtered ? "what the database guesses to be" : "about"} ${count(about ?? 0)}`;
  const atEnd = asked.before === "end";
  const more =
    !atEnd &&
    (page.truncated || page.count >= asked.limit) &&
    (total === undefined || asked.offset + page.count < total);
  const from = asked.offset + 1;
  const number = Math.floor(asked.offset / asked.limit) + 1;
  const jump = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const page = Number(new FormData(event.currentTarget).get("page"));
    if (Number.isSafeInteger(page) && page > 0) state.jump((page - 1) * asked.limit);
  };
  return (
    <nav className={styles.pager} aria-label="Pages">
      <span aria-live="polite">
        {page.count === 0
          ? "No rows"
          : atEnd && total === undefined
            ? `The last ${plural(page.count, "row")}`
            : `Rows ${count(from)} to ${count(from + page.count - 1)}`}
        {total !== undefined && ` of ${count(total)}`}
      </span>
      {total === undefined && about !== undefined && exact.data && wanted && (
        <span>{`of ${estimate}: it could not be counted within a minute`}</span>
      )}
      {total === undefined && about !== undefined && !(exact.data && wanted) && (
        <Button small kind="quiet" busy={exact.isFetching} onClick={() => setWanted(true)}>
          {`of ${estimate}: ${exact.data ? "counting took too long, try for a minute" : "count"}`}
        </Button>
      )}
      {page.truncated && <span>· the page ends early, because its rows are large</span>}
      <span className={styles.grow} />
      <form onSubmit={jump}>
        Page <Input key={number} name="page" inputMode="numeric" defaultValue={number} aria-label="Page number" />
      </form>
      <span>
        Rows{" "}
        <Select
          aria-label="Rows on a page"
          value={String(asked.limit)}
          choices={SIZES.map((size) => ({ value: String(size), label: String(size) }))}
          onValue={(size) => state.size(Number(size))}
        />
      </span>
      <IconButton small label="First page" disabled={asked.offset === 0 && !atEnd} onClick={state.first}>
        <ChevronFirst />
      </IconButton>
      <IconButton
        small
        label="Previous page"
        disabled={asked.offset === 0 && !atEnd}
        onClick={() => state.previous(page)}
      >
        <ChevronLeft />
      </IconButton>
      <IconButton small label="Next page" disabled={!more} onClick={() => state.next(page)}>
        <ChevronRight />
      </IconButton>
      <IconButton
        small
        label="Last page"
        disabled={atEnd || (!page.last && total === undefined) || !more}
        onClick={() => state.last(total ?? about ?? 0)}
      >
        <ChevronLast />
      </IconButton>
    </nav>
  );
}
