import { WifiOff } from "lucide-react";
import { reach } from "@/api/server";
import { useStore } from "@/api/store";
import styles from "./Banner.module.css";

/** Tells that the server is away. What was typed stays, and the page goes on by itself. */
export function Banner() {
  const away = useStore(reach) === "away";
  return (
    <div role="status" aria-live="polite">
      {away && (
        <div className={styles.banner}>
          <WifiOff aria-hidden="true" />
          <span>
            <strong>The server does not answer.</strong> This page goes on by itself as soon as it does; what you typed
            stays.
          </span>
        </div>
      )}
    </div>
  );
}
