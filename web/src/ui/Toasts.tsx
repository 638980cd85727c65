import { Check, CircleAlert, X } from "lucide-react";
import { Toast as Radix } from "radix-ui";
import { useStore } from "@/api/store";
import { IconButton } from "./Button";
import { cx } from "./cx";
import styles from "./Toasts.module.css";
import { dropToast, toasts } from "./toast";

const SHOWN_MS = 5000;
const ERROR_MS = 15_000;

export function Toasts() {
  const shown = useStore(toasts);
  return (
    <Radix.Provider swipeDirection="right" label="Notification">
      {shown.map((toast) => (
        <Radix.Root
          key={toast.id}
          duration={toast.tone === "danger" ? ERROR_MS : SHOWN_MS}
          className={cx(styles.toast, styles[toast.tone])}
          onOpenChange={(open) => !open && dropToast(toast.id)}
        >
          {toast.tone === "danger" ? <CircleAlert aria-hidden="true" /> : <Check aria-hidden="true" />}
          <Radix.Description className={styles.text}>{toast.text}</Radix.Description>
          <Radix.Close asChild>
            <IconButton small label="Dismiss">
              <X />
            </IconButton>
          </Radix.Close>
        </Radix.Root>
      ))}
      <Radix.Viewport className={styles.viewport} />
    </Radix.Provider>
  );
}
