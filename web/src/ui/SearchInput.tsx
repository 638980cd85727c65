import { Search } from "lucide-react";
import { Input } from "./Field";
import styles from "./SearchInput.module.css";

/** A field that filters what stands below it. */
export function SearchInput({
  label,
  placeholder = label,
  value,
  onValue,
}: {
  label: string;
  placeholder?: string;
  value: string;
  onValue: (value: string) => void;
}) {
  return (
    <div className={styles.search}>
      <Search aria-hidden="true" />
      <Input
        type="search"
        aria-label={label}
        placeholder={placeholder}
        value={value}
        onChange={(event) => onValue(event.target.value)}
      />
    </div>
  );
}
