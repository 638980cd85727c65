import { Keyboard, LogOut, Monitor, Moon, Search, Sun } from "lucide-react";
import { NavLink } from "react-router";
import { problemOf } from "@/api/problem";
import { signOut } from "@/api/session";
import { useStore } from "@/api/store";
import { IconButton } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { notify } from "@/ui/toast";
import { features } from "./features";
import { Logo } from "./Logo";
import styles from "./Sidebar.module.css";
import { chooseTheme, THEMES, theme } from "./theme";

interface Props {
  open: boolean;
  onSearch: () => void;
  onHelp: () => void;
  /** The palette's keys. */
  hint: string;
}

const ICONS = { system: <Monitor />, light: <Sun />, dark: <Moon /> } as const;

export function Sidebar({ open, onSearch, onHelp, hint }: Props) {
  const chosen = useStore(theme);
  const next = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length] ?? "system";
  const leave = () => signOut().catch((error) => notify.error(problemOf(error).message));
  return (
    <aside className={cx(styles.sidebar, open && styles.open)}>
      <div className={styles.head}>
        <Logo />
      </div>
      <button type="button" className={styles.search} onClick={onSearch}>
        <Search aria-hidden="true" />
        <span>Search</span>
        <kbd>{hint}</kbd>
      </button>
      <nav aria-label="Main" className={styles.nav}>
        {features.map(
          ({ nav }) =>
            nav && (
              <NavLink key={nav.to} to={nav.to} end={nav.to === "/"} className={styles.link ?? ""}>
                <nav.icon aria-hidden="true" />
                {nav.label}
              </NavLink>
            ),
        )}
      </nav>
      <div className={styles.foot}>
        <IconButton label={`Theme: ${chosen}`} onClick={() => chooseTheme(next)}>
          {ICONS[chosen]}
        </IconButton>
        <IconButton label="Keyboard shortcuts" onClick={onHelp}>
          <Keyboard />
        </IconButton>
        <IconButton label="Sign out" onClick={leave}>
          <LogOut />
        </IconButton>
      </div>
    </aside>
  );
}
