import { Menu as MenuIcon, Search } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { Navigate, Outlet, useLocation, useNavigation } from "react-router";
import { session } from "@/api/session";
import { useStore } from "@/api/store";
import { IconButton } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Banner } from "./Banner";
import styles from "./Layout.module.css";
import { Logo } from "./Logo";
import { Sidebar } from "./Sidebar";
import { SignInDialog } from "./SignInDialog";
import { modifier, useShortcuts } from "./shortcuts";

const loadPalette = () => import("./Palette");
const Palette = lazy(loadPalette);
const ShortcutsDialog = lazy(() => import("./ShortcutsDialog"));

const PALETTE_AHEAD_MS = 1500;

/** Around every page but the sign-in. */
export function Layout() {
  const state = useStore(session);
  const location = useLocation();
  const navigating = useNavigation().state === "loading";
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const [sidebar, setSidebar] = useState(false);
  useShortcuts({ palette: () => setPalette(true), help: () => setHelp(true) });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page closes the sidebar of narrow screens
  useEffect(() => setSidebar(false), [location.pathname]);

  useEffect(() => {
    // Ahead of its time, so that whoever presses its key and types loses no letter; asked for again if it does not come.
    const timer = setTimeout(() => void loadPalette().catch(() => {}), PALETTE_AHEAD_MS);
    return () => clearTimeout(timer);
  }, []);

  if (state === "out") {
    return <Navigate to="/signin" replace state={{ from: location.pathname + location.search + location.hash }} />;
  }
  return (
    <div className={styles.layout}>
      <a href="#main" className={styles.skip}>
        Skip to content
      </a>
      <div className={styles.top}>
        <IconButton label="Menu" aria-expanded={sidebar} onClick={() => setSidebar(!sidebar)}>
          <MenuIcon />
        </IconButton>
        <Logo />
        <IconButton label="Search and commands" onClick={() => setPalette(true)}>
          <Search />
        </IconButton>
      </div>
      <Sidebar open={sidebar} onSearch={() => setPalette(true)} onHelp={() => setHelp(true)} hint={`${modifier} K`} />
      {sidebar && (
        <button type="button" className={styles.shade} aria-label="Close menu" onClick={() => setSidebar(false)} />
      )}
      <div className={styles.content}>
        <div className={cx(styles.progress, navigating && styles.moving)} aria-hidden="true" />
        <Banner />
        <main id="main" className={styles.main} tabIndex={-1}>
          {state !== "unknown" && <Outlet />}
        </main>
      </div>
      <SignInDialog />
      <Suspense>
        {palette && <Palette onClose={() => setPalette(false)} onHelp={() => setHelp(true)} />}
        {help && <ShortcutsDialog onClose={() => setHelp(false)} />}
      </Suspense>
    </div>
  );
}
