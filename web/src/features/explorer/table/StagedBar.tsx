import type { Store } from "@/api/store";
import { Button } from "@/ui/Button";
import { useConfirm } from "@/ui/Confirm";
import { plural } from "@/ui/numbers";
import styles from "./Data.module.css";
import { countOf, NOTHING, type Staged } from "./staging";
import type { Keeping } from "./useKept";

interface Props {
  staged: Staged;
  store: Store<Staged>;
  keeping: Keeping;
  onReview: () => void;
}

/** What has been changed on the page and not in the database yet. */
export function StagedBar({ staged, store, keeping, onReview }: Props) {
  const confirm = useConfirm();
  const number = countOf(staged);
  const parts = [
    staged.edits.size > 0 && `${plural(staged.edits.size, "row")} edited`,
    staged.inserts.length > 0 && `${plural(staged.inserts.length, "row")} new`,
    staged.deletes.size > 0 && `${plural(staged.deletes.size, "row")} to delete`,
  ].filter(Boolean);
  const discard = async () => {
    const sure = await confirm({
      title: `Discard ${plural(number, "change")}?`,
      body: "They have not been sent to the database.",
      action: "Discard",
      danger: true,
    });
    if (sure) store.set(NOTHING);
  };
  return (
    <div className={styles.staged} role="status">
      <span>
        Not saved yet: {parts.join(", ")}
        {keeping === "restored" && " (brought back after the page was loaded anew)"}
        {keeping === "unkept" && " (too much to outlive a reload of the page)"}
      </span>
      <span className={styles.grow} />
      <Button small kind="quiet" onClick={() => void discard()}>
        Discard
      </Button>
      <Button small kind="primary" onClick={onReview}>
        Review {plural(number, "change")}
      </Button>
    </div>
  );
}
