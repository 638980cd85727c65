import { Link } from "react-router";
import styles from "./Logo.module.css";

/** The name, which leads home. */
export function Logo() {
  return (
    <Link to="/" className={styles.logo}>
      <Mark />
      Mainstem
    </Link>
  );
}

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" className={styles.mark} aria-hidden="true">
      <rect width="32" height="32" rx="7" />
      <path d="M6 10c6 0 6 6 10 6s4-6 10-6M6 22c6 0 6-6 10-6s4 6 10 6" />
    </svg>
  );
}
