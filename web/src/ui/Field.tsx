import {
  type ComponentProps,
  cloneElement,
  isValidElement,
  type ReactElement,
  type ReactNode,
  type Ref,
  useId,
} from "react";
import { cx } from "./cx";
import styles from "./Field.module.css";

interface Described {
  id?: string;
  "aria-describedby"?: string | undefined;
  "aria-invalid"?: boolean | undefined;
}

interface FieldProps {
  label: ReactNode;
  /** One control: Input, TextArea, Select. */
  children: ReactElement<Described>;
  hint?: ReactNode;
  /** What is wrong with it; the API's own words for the field where it has them. */
  error?: string | undefined;
  optional?: boolean;
  className?: string | undefined;
}

/** A control with its label, what to know about it, and what is wrong with it. */
export function Field({ label, children, hint, error, optional, className }: FieldProps) {
  const own = useId();
  const id = (isValidElement(children) && children.props.id) || own;
  const told = cx(hint ? `${id}-hint` : "", error ? `${id}-error` : "");
  return (
    <div className={cx(styles.field, className)}>
      <label htmlFor={id} className={styles.label}>
        {label}
        {optional && <span className={styles.optional}> optional</span>}
      </label>
      {cloneElement(children, { id, "aria-describedby": told || undefined, "aria-invalid": error ? true : undefined })}
      {hint && (
        <div id={`${id}-hint`} className={styles.hint}>
          {hint}
        </div>
      )}
      {error && (
        <div id={`${id}-error`} className={styles.error} role="alert">
          {error}
        </div>
      )}
    </div>
  );
}

export function Input({ className, ...rest }: ComponentProps<"input"> & { ref?: Ref<HTMLInputElement> }) {
  return <input spellCheck={false} {...rest} className={cx(styles.input, className)} />;
}

export function TextArea({ className, ...rest }: ComponentProps<"textarea"> & { ref?: Ref<HTMLTextAreaElement> }) {
  return <textarea spellCheck={false} rows={4} {...rest} className={cx(styles.input, styles.area, className)} />;
}

export interface Choice {
  value: string;
  label: string;
  disabled?: boolean;
}

interface SelectProps extends Omit<ComponentProps<"select">, "onChange"> {
  choices: readonly Choice[];
  onValue: (value: string) => void;
  ref?: Ref<HTMLSelectElement>;
}

/** The browser's own list: it knows every keyboard, screen reader and phone. */
export function Select({ choices, onValue, className, ...rest }: SelectProps) {
  return (
    <select
      {...rest}
      className={cx(styles.input, styles.select, className)}
      onChange={(event) => onValue(event.target.value)}
    >
      {choices.map((choice) => (
        <option key={choice.value} value={choice.value} disabled={choice.disabled}>
          {choice.label}
        </option>
      ))}
    </select>
  );
}

interface ToggleProps extends Omit<ComponentProps<"input">, "type" | "onChange"> {
  label: ReactNode;
  hint?: ReactNode;
  onChecked: (checked: boolean) => void;
}

export function Checkbox({ label, hint, onChecked, className, ...rest }: ToggleProps) {
  return (
    <label className={cx(styles.check, className)}>
      <input type="checkbox" {...rest} onChange={(event) => onChecked(event.target.checked)} />
      <span>
        {label}
        {hint && <span className={styles.hint}>{hint}</span>}
      </span>
    </label>
  );
}

/** A checkbox that acts at once. */
export function Switch({ label, hint, onChecked, className, ...rest }: ToggleProps) {
  return (
    <label className={cx(styles.check, className)}>
      <input
        type="checkbox"
        role="switch"
        aria-checked={rest.checked ?? false}
        {...rest}
        className={styles.switch}
        onChange={(event) => onChecked(event.target.checked)}
      />
      <span>
        {label}
        {hint && <span className={styles.hint}>{hint}</span>}
      </span>
    </label>
  );
}
