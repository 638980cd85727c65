import { useStore } from "@/api/store";
import styles from "./Console.module.css";
import { options, setOption } from "./options";

const LEAST = 96;
const MOST = 900;
const STEP = 24;

/** Between editor and results: drag it, or move it with the arrow keys. */
export function Splitter() {
  const { height } = useStore(options);
  const set = (next: number) => setOption({ height: Math.round(Math.min(MOST, Math.max(LEAST, next))) });
  return (
    <hr
      className={styles.splitter}
      aria-label="Height of the editor"
      aria-orientation="horizontal"
      aria-valuenow={height}
      aria-valuemin={LEAST}
      aria-valuemax={MOST}
      tabIndex={0}
      onKeyDown={(event) => {
        if (event.key === "ArrowUp") set(height - STEP);
        if (event.key === "ArrowDown") set(height + STEP);
      }}
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        if (event.currentTarget.hasPointerCapture(event.pointerId)) set(height + event.movementY);
      }}
    />
  );
}
