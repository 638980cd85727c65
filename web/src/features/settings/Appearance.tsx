import { useStore } from "@/api/store";
import { chooseTheme, THEMES, theme } from "@/app/theme";
import { Panel } from "@/ui/Page";
import styles from "./Settings.module.css";

const TEXTS = {
  system: ["As the system", "follows it, also in the evening"],
  light: ["Light", ""],
  dark: ["Dark", ""],
} as const;

export function Appearance() {
  const chosen = useStore(theme);
  return (
    <Panel>
      <fieldset className={styles.choices}>
        <legend>Theme</legend>
        {THEMES.map((one) => (
          <label key={one} className={styles.choice}>
            <input type="radio" name="theme" checked={one === chosen} onChange={() => chooseTheme(one)} />
            {TEXTS[one][0]}
            <span className={styles.muted}>{TEXTS[one][1]}</span>
          </label>
        ))}
      </fieldset>
      <p className={styles.muted}>Kept in this browser.</p>
    </Panel>
  );
}
