import styles from "./CodeBlock.module.css";
import { CopyButton } from "./CopyButton";

interface Props {
  code: string;
  label: string;
  /** Any CSS length; more scrolls. */
  maxHeight?: string;
}

/** Text to read and copy. */
export function CodeBlock({ code, label, maxHeight = "24rem" }: Props) {
  return (
    <figure className={styles.block} aria-label={label}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0} style={{ maxHeight }}>
        <code>{code}</code>
      </pre>
      <div className={styles.copy}>
        <CopyButton text={code} label={`Copy ${label}`} />
      </div>
    </figure>
  );
}
