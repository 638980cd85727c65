import { CircleAlert, TriangleAlert } from "lucide-react";
import { Link } from "react-router";
import type { Attention } from "./attention";
import styles from "./Home.module.css";

export function AttentionList({ items }: { items: readonly Attention[] }) {
  return (
    <ul className={styles.attention}>
      {items.map((item) => (
        <li key={item.id} className={styles[item.level]}>
          {item.level === "error" ? <CircleAlert aria-label="Error" /> : <TriangleAlert aria-label="Warning" />}
          <div className={styles.told}>
            <p>
              <Link to={item.to}>{item.stream}</Link> {item.title}
            </p>
            {item.why && <p>{item.why}</p>}
            {item.remedy && (
              <p className={styles.muted}>
                <strong>Fix:</strong> {item.remedy}
              </p>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}
