import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { problemOf } from "@/api/problem";
import { useStore } from "@/api/store";
import { Button } from "@/ui/Button";
import { ErrorState, Skeleton } from "@/ui/States";
import type { ObjectPlace } from "../place";
import { explorerQueries, tableKey } from "../queries";
import styles from "./Data.module.css";
import { DataGrid } from "./DataGrid";
import { FilterBar } from "./FilterBar";
import { Pager } from "./Pager";
import { ReviewDialog } from "./ReviewDialog";
import { useRowsState } from "./rowsState";
import { StagedBar } from "./StagedBar";
import { countOf, stagedOf, withNewRow } from "./staging";
import { Toolbar } from "./Toolbar";
import { useKept } from "./useKept";

/** The rows of a table or view: filtered, sorted, page by page; changed where there is a key. */
export function DataTab({ place }: { place: ObjectPlace }) {
  const state = useRowsState();
  const { asked, remember } = state;
  const table = JSON.stringify(tableKey(place));
  const store = stagedOf(table);
  const staged = useStore(store);
  const [filtering, setFiltering] = useState(Boolean(asked.filter || asked.where));
  const [reviewing, setReviewing] = useState(false);
  const rows = useQuery({ ...explorerQueries.rows(place, asked), placeholderData: keepPreviousData });
  const page = rows.data;
  useEffect(() => {
    if (page && !rows.isPlaceholderData) remember(page);
  }, [page, rows.isPlaceholderData, remember]);
  const keeping = useKept(table, store, page && !rows.isPlaceholderData ? page.columns : null);
  const problem = rows.error ? problemOf(rows.error) : null;
  const fieldProblems = useMemo(() => problem?.fields ?? {}, [problem]);
  // A filter that is refused stays, to be corrected: its columns are those of the rows before it.
  const [known, setKnown] = useState(page?.columns);
  if (page && page.columns !== known) setKnown(page.columns);
  const columns = known ?? [];
  const narrowed = asked.filter !== "" || asked.where !== "" || asked.order.length > 0;
  return (
    <div className={styles.data}>
      <Toolbar
        place={place}
        state={state}
        page={page}
        busy={rows.isFetching}
        filtering={filtering}
        onFilter={() => setFiltering(!filtering)}
        onRefresh={() => void rows.refetch()}
        onInsert={() => store.set(withNewRow(store.get()))}
      />
      {filtering && columns.length > 0 && (
        <FilterBar
          key={`${asked.filter}\n${asked.where}`}
          columns={columns}
          filter={asked.filter}
          where={asked.where}
          onApply={state.filter}
          problems={fieldProblems}
        />
      )}
      {keeping.told === "dropped" && (
        <div className={styles.staged} role="status">
          <span>
            Changes that were not saved are gone: the table has other columns, or another key, than they were made for.
          </span>
          <span className={styles.grow} />
          <Button small kind="quiet" onClick={keeping.dismiss}>
            Dismiss
          </Button>
        </div>
      )}
      {countOf(staged) > 0 && (
        <StagedBar staged={staged} store={store} keeping={keeping.told} onReview={() => setReviewing(true)} />
      )}
      {problem && (
        <ErrorState compact error={problem} title="The rows could not be read" retry={() => rows.refetch()} />
      )}
      {problem && narrowed && (
        <div>
          <Button small onClick={state.everything}>
            Without filter and order
          </Button>
        </div>
      )}
      {page ? (
        <DataGrid
          place={place}
          page={page}
          state={state}
          staged={staged}
          store={store}
          onReview={() => setReviewing(true)}
        />
      ) : (
        !problem && <Skeleton lines={12} height="1.5rem" />
      )}
      {page && <Pager place={place} page={page} state={state} />}
      {reviewing && <ReviewDialog place={place} store={store} staged={staged} onClose={() => setReviewing(false)} />}
    </div>
  );
}
