import { CircleAlert, CircleCheck } from "lucide-react";
import type { Schemas } from "@/api/client";
import { cx } from "@/ui/cx";
import styles from "./Connections.module.css";

/** What a test found: the system and its version, or why not and what to do. */
export function TestResult({ found }: { found: Schemas["Ping"] }) {
  const good = found.ping === "ok";
  return (
    <div className={cx(styles.result, good ? styles.good : styles.bad)} role={good ? "status" : "alert"}>
      {good ? <CircleCheck aria-hidden="true" /> : <CircleAlert aria-hidden="true" />}
      {good ? (
        <p>
          <strong>Connected</strong> to {found.flavor} {found.version} in {found.round_trip_ms.toFixed(1)} ms,{" "}
          {found.tls ? `encrypted with ${found.tls}` : "not encrypted"}
        </p>
      ) : (
        <div>
          <p>
            <strong>Not connected:</strong> {found.error}
          </p>
          {found.remedy && <p>Fix: {found.remedy}</p>}
        </div>
      )}
    </div>
  );
}
