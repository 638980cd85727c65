import type { LucideIcon } from "lucide-react";
import type { RouteObject } from "react-router";

/** Something that the palette offers. */
export interface Command {
  id: string;
  label: string;
  /** More words to find it by. */
  keywords?: string;
  /** Where it leads. */
  to: string;
}

/** An entry of the sidebar. */
export interface NavEntry {
  to: string;
  label: string;
  icon: LucideIcon;
  /** The second key behind `g`: "c" for `g c`. */
  key: string;
}

/** What a feature brings: pages (loaded when they are opened), its place in the sidebar, commands. */
export interface Feature {
  routes: RouteObject[];
  nav?: NavEntry;
  commands?: Command[];
}
