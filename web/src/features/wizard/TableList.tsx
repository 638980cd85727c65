import { useVirtualizer } from "@tanstack/react-virtual";
import { KeyRound, Settings2 } from "lucide-react";
import { type ReactNode, useRef } from "react";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { bytes, count, plural } from "@/ui/numbers";
import { type Config, names, wishes } from "./config";
import { keyOf, type Size } from "./selection";
import grid from "./Tables.module.css";

const ROW_PX = 40;

interface Props {
  items: readonly Size[];
  chosen: (name: string) => boolean;
  config: Config;
  replicates: boolean;
  onToggle: (name: string, on: boolean) => void;
  onEdit: (table: Size) => void;
  empty: ReactNode;
}

/** Tables with what the source's catalog says of them; only those in view are there. */
export function TableList({ items, chosen, config, replicates, onToggle, onEdit, empty }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const schemas = names(config, ["sourceSchemas"]);
  return (
    <>
      <div className={grid.tableHead} aria-hidden="true">
        <span>Table</span>
        <span className={grid.end}>Rows</span>
        <span className={grid.end}>Size</span>
        <span />
      </div>
      <div ref={scroller} className={grid.tableScroll}>
        {items.length === 0 && empty}
        <ul style={{ height: virtual.getTotalSize() }} aria-label="Tables" className={grid.tableRows}>
          {virtual.getVirtualItems().map((row) => {
            const table = items[row.index];
            if (!table) return null;
            return (
              <li
                key={table.name}
                className={grid.tableRow}
                style={{ transform: `translateY(${row.start}px)`, height: ROW_PX }}
                aria-setsize={items.length}
                aria-posinset={row.index + 1}
              >
                <label className={grid.tableName}>
                  <input
                    type="checkbox"
                    checked={chosen(table.name)}
                    onChange={(event) => onToggle(table.name, event.target.checked)}
                  />
                  <span className={grid.nameText}>{table.name}</span>
                  <Wishes config={config} tableKey={keyOf(table, schemas)} />
                  {replicates && !table.keyed && (
                    <Badge tone="warn">
                      <KeyRound aria-hidden="true" /> no primary key
                    </Badge>
                  )}
                </label>
                <span className={grid.end}>{table.rows === null ? "not known" : count(table.rows)}</span>
                <span className={grid.end}>{bytes(table.bytes)}</span>
                <Button
                  small
                  kind="quiet"
                  icon={<Settings2 />}
                  aria-label={`${table.columns} columns of ${table.name}: choose, rename, filter`}
                  disabled={!chosen(table.name)}
                  onClick={() => onEdit(table)}
                >
                  <span className={grid.wideOnly}>{table.columns} columns</span>
                </Button>
              </li>
            );
          })}
        </ul>
      </div>
    </>
  );
}

/** What is asked of the table, in short. */
function Wishes({ config, tableKey }: { config: Config; tableKey: string }) {
  const found = wishes(config, tableKey);
  return (
    <>
      {found.target && <Badge tone="accent">→ {found.target}</Badge>}
      {found.where && <Badge tone="accent">some rows</Badge>}
      {found.columns > 0 && <Badge tone="accent">−{plural(found.columns, "column")}</Badge>}
    </>
  );
}
