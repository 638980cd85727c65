import { SquareTerminal } from "lucide-react";
import type { Feature } from "@/app/feature";

export const sqlConsole: Feature = {
  routes: [{ path: "sql/:connectionId?", lazy: () => import("./ConsolePage") }],
  nav: { to: "/sql", label: "SQL console", icon: SquareTerminal, key: "q" },
  commands: [{ id: "sql-new", label: "New SQL query", keywords: "console editor run", to: "/sql?new=1" }],
};
