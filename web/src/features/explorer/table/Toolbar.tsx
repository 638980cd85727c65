import { Download, Filter, Lock, Plus, RotateCw } from "lucide-react";
import type { Schemas } from "@/api/client";
import { Badge } from "@/ui/Badge";
import { Button, IconButton } from "@/ui/Button";
import { Menu, type MenuItem } from "@/ui/Menu";
import { Tooltip } from "@/ui/Tooltip";
import type { ObjectPlace } from "../place";
import { fileUrl, orderParams } from "../queries";
import styles from "./Data.module.css";
import { readFilter } from "./filter";
import type { useRowsState } from "./rowsState";

interface Props {
  place: ObjectPlace;
  state: ReturnType<typeof useRowsState>;
  page: Schemas["Rows"] | undefined;
  busy: boolean;
  filtering: boolean;
  onFilter: () => void;
  onRefresh: () => void;
  onInsert: () => void;
}

const FORMATS = [
  ["csv", "CSV"],
  ["json", "JSON"],
  ["jsonl", "JSON lines"],
] as const;

export function Toolbar({ place, state, page, busy, filtering, onFilter, onRefresh, onInsert }: Props) {
  const { asked } = state;
  const conditions = readFilter(asked.filter).rows.length + (asked.where ? 1 : 0);
  const save = (format: string, whole: boolean) => {
    const params: Record<string, string> = { ...orderParams(asked.order), format };
    if (asked.filter) params.filter = asked.filter;
    if (asked.where) params.where = asked.where;
    if (!whole) Object.assign(params, { limit: String(asked.limit), offset: String(asked.offset) });
    download(fileUrl(place, "export", params));
  };
  const items: (MenuItem | null)[] = [
    ...FORMATS.map(([format, name]) => ({ label: `${name}, all rows`, onSelect: () => save(format, true) })),
    null,
    ...FORMATS.map(([format, name]) => ({ label: `${name}, this page`, onSelect: () => save(format, false) })),
  ];
  return (
    <div className={styles.toolbar} role="toolbar" aria-label="Rows">
      <Button small icon={<Filter />} aria-expanded={filtering} onClick={onFilter}>
        Filter{conditions > 0 ? ` (${conditions})` : ""}
      </Button>
      <IconButton small label="Read the rows again" onClick={onRefresh} disabled={busy}>
        <RotateCw />
      </IconButton>
      <Menu items={items} align="start">
        <Button small icon={<Download />}>
          Export
        </Button>
      </Menu>
      {page?.isEditable && (
        <Button small icon={<Plus />} onClick={onInsert}>
          Row
        </Button>
      )}
      {page && !page.isEditable && (
        <Tooltip text={`Rows cannot be changed: ${page.editabilityReason}`}>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the reason must be reachable by keyboard */}
          <span tabIndex={0}>
            <Badge>
              <Lock size={12} aria-hidden="true" /> read-only
              <span className="visually-hidden">: {page.editabilityReason}</span>
            </Badge>
          </span>
        </Tooltip>
      )}
      <span className={styles.grow} />
      {page && <span className={styles.muted}>{page.took_ms.toFixed(0)} ms</span>}
    </div>
  );
}

/** The browser saves it while it comes: nothing of it is held by the page. */
function download(url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}
