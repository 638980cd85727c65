import { TableProperties } from "lucide-react";
import type { Feature } from "@/app/feature";

export const explorer: Feature = {
  routes: [{ path: "explorer/:connectionId?/:database?/:kind?/:schema?/:name?", lazy: () => import("./ExplorerPage") }],
  nav: { to: "/explorer", label: "Explorer", icon: TableProperties, key: "e" },
};
