import { Settings } from "lucide-react";
import type { Feature } from "@/app/feature";

export const settings: Feature = {
  routes: [{ path: "settings", lazy: () => import("./SettingsPage") }],
  nav: { to: "/settings", label: "Settings", icon: Settings, key: "p" },
};
