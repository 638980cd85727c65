import { type KeyboardEvent, useState } from "react";
import type { Column, Written } from "./cells";
import styles from "./Data.module.css";

interface Props {
  column: Column;
  value: Written;
  /** How it ended: undefined is that nothing was changed. */
  onDone: (value: Written | undefined) => void;
}

const NULL = "\0";

/** Takes a cell's place while its value is typed. Enter and Tab keep it, Escape does not. */
export function CellEditor({ column, value, onDone }: Props) {
  const [text, setText] = useState(typeof value === "string" ? value : "");
  const [touched, setTouched] = useState(false);
  const label = `New value of ${column.name}`;
  const keep = () => onDone(touched ? text : undefined);
  const press = (event: KeyboardEvent<HTMLElement>) => {
    event.stopPropagation();
    const next = { Escape: "", Enter: "ArrowDown", Tab: event.shiftKey ? "ArrowLeft" : "ArrowRight" }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const grid = event.currentTarget.closest<HTMLElement>("[role=grid]");
    if (event.key === "Escape") onDone(undefined);
    else keep();
    grid?.focus();
    // The grid goes on as if the arrow had been pressed in it.
    if (next) grid?.dispatchEvent(new window.KeyboardEvent("keydown", { key: next, bubbles: true }));
  };
  const choices = column.members.length > 0 ? column.members : column.kind === "boolean" ? ["true", "false"] : null;
  if (choices) {
    const all = [...choices, ...(column.nullable ? [NULL] : [])];
    return (
      <select
        // biome-ignore lint/a11y/noAutofocus: somebody has just asked for it
        autoFocus
        aria-label={label}
        className={styles.editor}
        value={value === null ? NULL : text}
        onKeyDown={(event) => event.key === "Escape" && press(event)}
        onChange={(event) => onDone(event.target.value === NULL ? null : event.target.value)}
        onBlur={() => onDone(undefined)}
      >
        {!all.includes(text) && value !== null && <option value={text}>{text}</option>}
        {all.map((one) => (
          <option key={one} value={one}>
            {one === NULL ? "NULL" : one}
          </option>
        ))}
      </select>
    );
  }
  return (
    <input
      // biome-ignore lint/a11y/noAutofocus: somebody has just asked for it
      autoFocus
      aria-label={label}
      className={styles.editor}
      spellCheck={false}
      value={text}
      placeholder={value === null ? "NULL" : ""}
      onFocus={(event) => event.target.select()}
      onChange={(event) => {
        setText(event.target.value);
        setTouched(true);
      }}
      onKeyDown={press}
      onBlur={keep}
    />
  );
}
