import { type ComponentProps, type KeyboardEvent, useId, useRef, useState } from "react";
import styles from "./Combobox.module.css";
import { cx } from "./cx";
import field from "./Field.module.css";

export interface ComboOption {
  value: string;
  hint?: string;
}

interface Props extends Omit<ComponentProps<"input">, "onChange" | "value" | "list" | "role"> {
  value: string;
  onValue: (value: string) => void;
  options: readonly ComboOption[];
  /** What is said instead of the options: that they are being read, or why they cannot be. */
  message?: string | undefined;
  /** Makes what was typed, where there is no such option yet. */
  onCreate?: ((value: string) => void) | undefined;
  /** `database` in "Create database x". */
  noun?: string;
  /** The list is wanted: the time to read it. */
  onOpen?: () => void;
}

/** Text with suggestions; what is typed need not be one of them. */
export function Combobox({ value, onValue, options, message, onCreate, noun = "", onOpen, className, ...rest }: Props) {
  const list = useId();
  const [open, setOpen] = useState(false);
  const [edited, setEdited] = useState(false);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const typed = value.trim().toLowerCase();
  const found = edited && typed ? options.filter((one) => one.value.toLowerCase().includes(typed)) : options;
  const creates = onCreate !== undefined && value.trim() !== "" && !options.some((one) => one.value === value.trim());
  const count = found.length + (creates ? 1 : 0);
  const show = () => {
    if (!open) onOpen?.();
    setOpen(true);
  };
  const close = () => {
    setOpen(false);
    setEdited(false);
    setActive(-1);
  };
  const take = (index: number) => {
    const option = found[index];
    if (option) onValue(option.value);
    else if (creates) onCreate(value.trim());
    close();
  };
  const keys = (event: KeyboardEvent<HTMLInputElement>) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      show();
      setActive(count === 0 ? -1 : (active + step + count) % count);
    } else if (event.key === "Enter" && open && active >= 0) {
      event.preventDefault();
      take(active);
    } else if (event.key === "Escape" && open) {
      event.stopPropagation();
      close();
    }
  };
  return (
    <div className={styles.root}>
      <input
        spellCheck={false}
        autoComplete="off"
        {...rest}
        ref={input}
        role="combobox"
        aria-expanded={open}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={open && active >= 0 ? `${list}-${active}` : undefined}
        className={cx(field.input, className)}
        value={value}
        onChange={(event) => {
          onValue(event.target.value);
          setEdited(true);
          setActive(-1);
          show();
        }}
        onFocus={show}
        onClick={show}
        onBlur={close}
        onKeyDown={keys}
      />
      <div
        id={list}
        role="listbox"
        aria-label={noun || "Suggestions"}
        className={styles.list}
        hidden={!open || (count === 0 && !message)}
      >
        {message && <div className={styles.message}>{message}</div>}
        {found.map((option, index) => (
          <div
            key={option.value}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={option.value === value}
            className={cx(styles.option, index === active && styles.active)}
            onMouseDown={(event) => {
              event.preventDefault(); // before the field loses the focus
              take(index);
            }}
          >
            <span>{option.value}</span>
            {option.hint && <span className={styles.hint}>{option.hint}</span>}
          </div>
        ))}
        {creates && (
          <div
            id={`${list}-${found.length}`}
            role="option"
            tabIndex={-1}
            aria-selected={false}
            className={cx(styles.option, styles.create, active === found.length && styles.active)}
            onMouseDown={(event) => {
              event.preventDefault();
              take(found.length);
            }}
          >
            Create {noun} “{value.trim()}”
          </div>
        )}
      </div>
    </div>
  );
}
